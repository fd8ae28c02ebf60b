"""Every metadata key of a record: its unit and its meaning, in one table.

Writer and reader take their keys from it, and so do the tables of results/README.md, which
`python -m bench.records.keys` writes anew.
"""

from dataclasses import dataclass
from typing import Literal

from bench import files
from bench.kernel import ROOT

README = ROOT / "results" / "README.md"
BEGIN, END = "<!-- keys: written by python -m bench.records.keys -->", "<!-- end of keys -->"
Of = Literal["sample", "memory", "kernel", "broadcast", "record", "digits"]
HEADINGS: dict[Of, str] = {
    "sample": "Of a sample",
    "memory": "Of a sample of memory, besides",
    "kernel": "Of a kernel",
    "broadcast": "Of a kernel that broadcasts (see below)",
    "record": "Of the record, its configuration and its machine",
    "digits": "Of the digits",
}


@dataclass(frozen=True)
class Key:
    """One metadata key.

    Attributes:
        of: what it says something about.
        unit: of its value; "" where it is a text or has none.
        needed: whether a file without it was not written by this project.
    """

    name: str
    of: Of
    unit: str
    meaning: str
    needed: bool = False


KEYS = (
    Key("name", "sample", "", "the benchmark's: `SCOPE/DISTANCE/KERNEL`, as explained above"),
    Key("kernel", "sample", "", "`NAME`, or `NAME@DEVICE` where the kernel has other devices than the CPU"),
    Key("scope", "sample", "", "what one call contains: `mean`, `predict`, `baseline`, `end_to_end` (formulas in "
        "`bench/task/scopes.py`), `first_call` (`bench/runner/executor.py`)"),
    Key("distance", "sample", "", "`l1`, `l2`, or `-` where none is meant"),
    Key("images", "sample", "images", "that one call reads: training images in `mean`, validation images in `predict`, "
        "both elsewhere"),
    Key("loops", "sample", "calls", "per sample; the value is seconds per call"),
    Key("process", "sample", "", "number of the kernel's process, from 0; samples of one process number and round are "
        "a pair"),
    Key("round", "sample", "", "number of the round in which every kernel was called once, from 0"),
    Key("position", "sample", "", "the kernel's place in that round, from 0"),
    Key("minor_faults", "sample", "per call", "page faults served from memory; 0 where the system does not tell"),
    Key("context_switches", "sample", "per call", "switches away from the process; 0 where the system does not tell"),
    Key("peak_rss_bytes", "sample", "bytes", "the process's largest resident size so far; 0 where the system does not "
        "tell"),
    Key("anonymous_before_bytes", "memory", "bytes", "anonymous memory (mapped files do not count) held before the "
        "call"),
    Key("temporaries_bytes", "memory", "bytes", "how much more there was at the highest point of the call"),
    Key("device_before_bytes", "memory", "bytes", "kernels on a GPU: its memory held before the call, as the allocator "
        "of the library counts that holds it (`bench/probes/device_memory.py`); without the CUDA context"),
    Key("device_temporaries_bytes", "memory", "bytes", "kernels on a GPU: how much more of its memory there was at the "
        "highest point of the call"),
    Key("not_measured", "memory", "", "which of these was not measured, and why; absent where all were"),
    Key("device", "kernel", "", "`cpu` or `cuda`"),
    Key("source_hash", "kernel", "", "SHA-256 (first 16 digits) of the kernel's syntax tree without docstrings; the "
        "same under every version of Python"),
    Key("mean_error", "kernel", "of full scale 1.0", "largest deviation of a mean image from the exact one"),
    Key("correct_l1", "kernel", "images", "right labels of all validation images under the L1 distance, class by "
        "class, such as `926/1010, 1013/1028`"),
    Key("correct_l2", "kernel", "images", "likewise under the L2 distance"),
    Key("threads_in_force", "kernel", "threads", "that each library in its process reported, such as `openblas 2, "
        "torch 2`; `1` where none has a pool; with `or` where processes differ"),
    Key("code_lines", "kernel", "lines", "of the functions that compute `baseline` under the L1 distance, with what "
        "they use of their file, without docstrings, comments and blank lines"),
    Key("code_tokens", "kernel", "tokens", "of the same, by Python's tokenizer"),
    Key("ranks_l1", "broadcast", "results", "one call on the stack against one call per image, such as `2037/2038`: "
        "how many results are equal to the last bit, of how many (fewer than there are images where 5 s did not do "
        "for all); or `fails on the stack` or `fails on an image`, and how; or `fails:` and why it could not be "
        "asked"),
    Key("ranks_l2", "broadcast", "results", "likewise under the L2 distance"),
    Key("expansion_strides", "broadcast", "elements", "between neighbours along each axis of a mean image expanded to "
        "the shape of the stack, such as `0, 28, 1`, where 0 reads the same ones again; absent where the library "
        "tells none"),
    Key("expansion_full_bytes", "broadcast", "bytes", "what a copy for every image would take"),
    Key("expansion_bytes", "broadcast", "bytes", "anonymous memory that expanding it took at its highest point; the "
        "least of three calls. Absent on a GPU and where the system does not tell"),
    Key("expression_bytes_l1", "broadcast", "bytes", "likewise of the L1 distance of the whole stack to one mean "
        "image: its temporaries"),
    Key("expression_bytes_l2", "broadcast", "bytes", "likewise of the L2 distance"),
    Key("kind", "record", "", "`ladder` (the scope baseline), `scopes` (all of them), `sizes`, or `memory`",
        needed=True),
    Key("unit", "record", "", "`second`, in a record of memory `byte`"),
    Key("run", "record", "", "the same text in all files of one run; absent where it was not recorded"),
    Key("order_seed", "record", "", "everything random in the recording was drawn from this number"),
    Key("threads", "record", "", "the configuration as requested: `1` or `all` cores", needed=True),
    Key("allocator", "record", "", "likewise: the system's `default` allocator, or `keep` for freed memory kept",
        needed=True),
    Key("allocator_in_force", "record", "", "the allocator setting as it took effect; `not applicable` where the "
        "system has no such switch"),
    Key("memory_limit_bytes", "record", "bytes", "anonymous memory that one worker process may take; `not applicable` "
        "where the system has no such limit"),
    Key("load_average", "record", "processes", "that wanted a core in the last minute, at the busiest start"),
    Key("overhead_s", "record", "seconds", "that the harness adds to a call, by a kernel that does nothing; the worst"),
    Key("dataset", "digits", "", "name of the data set; `drawn` digits are not MNIST", needed=True),
    Key("dataset_digest", "digits", "", "SHA-256 of pixels, class names and split sizes", needed=True),
    Key("per_class", "digits", "images", "of each class and split that a small data set has; absent for a whole one"),
    Key("dataset_of", "digits", "", "small data sets: `dataset_digest` of the whole one"),
    Key("too_close_l1", "digits", "images", "that have more than one acceptable class under the L1 distance"),
    Key("too_close_l2", "digits", "images", "likewise under the L2 distance"),
    Key("exact_l1", "digits", "images", "right labels by exact integer arithmetic under the L1 distance, class by "
        "class"),
    Key("exact_l2", "digits", "images", "likewise under the L2 distance"),
    Key("exact_signed", "digits", "images", "right labels by the smallest absolute *signed* mean difference, without "
        "`abs` or a square, exactly; ties to the lowest class"),
    Key("only_l1_right", "digits", "images", "validation images that are right under the L1 distance alone"),
    Key("only_l2_right", "digits", "images", "validation images that are right under the L2 distance alone"),
    Key("margin_l1", "digits", "0 to 1", "median over the validation images of the relative margin: the second "
        "smallest distance less the smallest, over their sum; under the L1 distance"),
    Key("margin_l2", "digits", "0 to 1", "likewise under the L2 distance"),
    Key("margin_change", "digits", "", "the median change of that margin, image by image, L2 less L1"),
    Key("margin_change_by_class", "digits", "", "likewise class by class, separated by spaces"),
    Key("margin_change_low", "digits", "", "lower end of the confidence interval of `margin_change`; absent below six "
        "images"),
    Key("margin_change_high", "digits", "", "its upper end"),
    Key("margin_change_level", "digits", "0 to 1", "the level that this interval achieves, by the sign test"),
    Key("loading_s", "digits", "seconds", "of loading the digits once, from their file to arrays; absent where they "
        "are drawn"),
    Key("image_pixels", "digits", "pixels", "of one image, which is as many bytes", needed=True),
    Key("classes", "digits", "", "class names, separated by spaces"),
    Key("train_counts", "digits", "images", "of each class, separated by spaces", needed=True),
    Key("valid_counts", "digits", "images", "of each class, separated by spaces", needed=True),
    Key("cpu_model_name", "record", "", "processor", needed=True),
    Key("cpu_count", "record", "cores", "that this process may use", needed=True),
    Key("platform", "record", "", "system and architecture"),
    Key("memory_bytes", "record", "bytes", "of memory"),
    Key("caches", "record", "", "the first core's data caches, such as `L1 48K, L2 1024K, L3 32768K`, or `unknown`",
        needed=True),
    Key("gpu", "record", "", "name and driver version of each NVIDIA GPU, or `none`"),
    Key("gpu_driver", "record", "", "driver version of the GPU that kernels use, the first of `CUDA_VISIBLE_DEVICES` "
        "or number 0. Absent without a GPU; like every key below `not measured: ` and why where it cannot be read, as "
        "without NVIDIA's binding (`pip install nvidia-ml-py`)"),
    Key("gpu_memory_bytes", "record", "bytes", "of its memory"),
    Key("gpu_max_clock_mhz", "record", "MHz", "its highest clock, of the multiprocessors"),
    Key("gpu_max_memory_clock_mhz", "record", "MHz", "its highest clock, of its memory"),
    Key("gpu_power_limit_watts", "record", "watts", "that it may draw, as enforced"),
    Key("gpu_throttled", "record", "", "reasons (NVML's clocks event reasons) that held it below its clocks right "
        "after any timed sample, such as `software power cap, hardware thermal slowdown`; `no`. Left out are idle, and "
        "clocks that somebody set. First calls apart; absent where nothing was timed on a GPU"),
    Key("gpu_clock_mhz", "record", "MHz", "its lowest clock right after a timed sample; absent likewise"),
    Key("gpu_memory_clock_mhz", "record", "MHz", "likewise of its memory"),
    Key("governor", "record", "", "how the first core's frequency is governed, such as `performance`, or `unknown`"),
    Key("python_version", "record", "", "version and implementation"),
    Key("numpy_version", "record", "", "version, or `not installed`"),
    Key("torch_version", "record", "", "likewise"),
    Key("pyperf_version", "record", "", "likewise"),
    Key("threadpoolctl_version", "record", "", "likewise"),
    Key("commit", "record", "", "of this repository; `-modified` where tracked files differed from it"),
    Key("not_timed", "record", "", "JSON list of the kernels without samples: `kernel`, `status` (`unavailable`, "
        "`disagrees`, `broken`, `not measured`), `reason`, without the folders of any path"),
    Key("schema", "record", "", "version of these keys, 2"),
    Key("date", "record", "", "UTC, ISO 8601"),
)  # fmt: skip
NAMES = {key.name for key in KEYS}
PER_KERNEL = tuple(key.name for key in KEYS if key.of in ("kernel", "broadcast"))
NEEDED = {key.name for key in KEYS if key.needed} - {"threads", "allocator"}  # these stand at the top or lower down


def tables() -> str:
    """Return the tables of results/README.md in Markdown."""
    parts = []
    for of, heading in HEADINGS.items():
        rows = [f"| `{key.name}` | {key.unit} | {key.meaning} |" for key in KEYS if key.of == of]
        parts.append("\n".join([f"### {heading}", "", "| key | unit | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def rewritten(text: str) -> str:
    """Return results/README.md with the tables between its markers made anew."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    text = rewritten(README.read_text(encoding="utf-8"))
    with files.whole(README) as partial:
        partial.write_text(text, encoding="utf-8")
