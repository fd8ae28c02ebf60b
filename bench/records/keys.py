"""Every metadata key of a record: its unit and its meaning, in one table.

Writer and reader take their keys from it. `python -m bench.records.keys` writes it into results/README.md.
"""

from dataclasses import dataclass
from typing import Literal

from bench import atomic
from bench.kernel import ROOT

README = ROOT / "results" / "README.md"
BEGIN, END = "<!-- keys: written by python -m bench.records.keys -->", "<!-- end of keys -->"
Subject = Literal["sample", "memory", "kernel", "broadcast", "record", "digits"]
HEADINGS: dict[Subject, str] = {
    "sample": "Of a sample",
    "memory": "Of a measurement of memory",
    "kernel": "Of a kernel",
    "broadcast": "Of a kernel that broadcasts (see above)",
    "record": "Of the record, its configuration and its machine",
    "digits": "Of the digits",
}


@dataclass(frozen=True)
class Key:
    """One metadata key.

    Attributes:
        subject: what the key describes.
        unit: the unit of its value; "" for text and for numbers without a unit.
        required: whether every record of this project has it.
    """

    name: str
    subject: Subject
    unit: str
    meaning: str
    required: bool = False


KEYS = (
    Key("name", "sample", "", "name of the benchmark: `SCOPE/DISTANCE/KERNEL`, as explained above"),
    Key("kernel", "sample", "", "`NAME`; `NAME@DEVICE` for a kernel that does not only run on the CPU"),
    Key("scope", "sample", "", "what one call contains: `mean`, `predict`, `baseline` or `end_to_end` (formulas in "
        "`bench/task/scopes.py`), or `first_call` (`bench/runner/executor.py`)"),
    Key("distance", "sample", "", "`l1`, `l2`, or `-` for a scope without distances"),
    Key("images", "sample", "images", "read by one call: training images in `mean`, validation images in `predict`, "
        "both in the other scopes"),
    Key("loops", "sample", "calls", "calls per sample; the value is seconds per call"),
    Key("process", "sample", "", "number of the kernel's process, from 0; ratios pair equal processes and rounds"),
    Key("round", "sample", "", "number of the round within the process, from 0; a round calls every kernel, only each "
        "fourth the slow ones"),
    Key("position", "sample", "", "place of the kernel in its round, from 0"),
    Key("minor_faults", "sample", "per call", "page faults served from memory; 0 where not counted"),
    Key("context_switches", "sample", "per call", "switches to other processes; 0 where not counted"),
    Key("peak_rss_bytes", "sample", "bytes", "largest resident size of the process so far; 0 where unknown"),
    Key("cpu_cores", "sample", "cores", "CPU seconds per second of the kernel's process and its children during the "
        "sample: 1 is one core; this and the next three are missing where they were not measured"),
    Key("other_cores", "sample", "cores", "the same of programs that are not part of the run; counted in hundredths of "
        "a second, so only the mean of many samples is exact"),
    Key("steal_cores", "sample", "cores", "the same of what the host of a virtual machine took"),
    Key("waited_cores", "sample", "cores", "seconds per second that the process's threads were ready without a core. "
        "A fast sample of over 0.02, or over 0.1 `steal_cores`, was taken again, a few times in each process"),
    Key("anonymous_before_bytes", "memory", "bytes", "anonymous memory (without mapped files) held before the call"),
    Key("temporaries_bytes", "memory", "bytes", "further memory at the highest point of the call"),
    Key("device_before_bytes", "memory", "bytes", "GPU memory held before the call by the library's allocator, without "
        "the CUDA context (`bench/probes/device_memory.py`); this and the next only for kernels on a GPU"),
    Key("device_temporaries_bytes", "memory", "bytes", "further GPU memory at the highest point of the call"),
    Key("not_measured", "memory", "", "which of these four was not measured, and why; missing if all were"),
    Key("device", "kernel", "", "`cpu` or `cuda`"),
    Key("source_hash", "kernel", "", "first 16 digits of the SHA-256 of the kernel's syntax tree, without docstrings"),
    Key("mean_error", "kernel", "of full scale 1.0", "largest deviation of a mean image from the exact one"),
    Key("correct_l1", "kernel", "images", "correct labels under the L1 distance, of all validation images, class by "
        "class, such as `926/1010, 1013/1028`"),
    Key("correct_l2", "kernel", "images", "the same under the L2 distance"),
    Key("threads_in_force", "kernel", "threads", "thread count of each library in the process, such as `openblas 2, "
        "torch 2`; `1` without a thread pool; joined by `or` where processes differ"),
    Key("code_lines", "kernel", "lines", "lines of the functions that compute `baseline` under the L1 distance and of "
        "what they use in their file, without docstrings, comments and blank lines"),
    Key("code_tokens", "kernel", "tokens", "tokens of the same code, by Python's tokenizer"),
    Key("ranks_l1", "broadcast", "results", "one call on the stack against one call per image under the L1 distance: "
        "how many results are equal to the last bit, of how many compared (5 s at most), such as `2037/2038`; or "
        "`fails on the stack` or `fails on an image` with the error; or `fails:` and why nothing was compared"),
    Key("ranks_l2", "broadcast", "results", "the same under the L2 distance"),
    Key("expansion_strides", "broadcast", "elements", "strides of a mean image expanded to the shape of the stack, "
        "such as `0, 28, 1`, where 0 reads the same elements again; missing if the library does not give them"),
    Key("expansion_full_bytes", "broadcast", "bytes", "size of a full copy for every image"),
    Key("expansion_bytes", "broadcast", "bytes", "anonymous memory that the expansion takes at its highest point, the "
        "least of three calls; missing on a GPU and where the system does not measure it"),
    Key("expression_bytes_l1", "broadcast", "bytes", "the same for the L1 distance of the stack to a mean image"),
    Key("expression_bytes_l2", "broadcast", "bytes", "the same for the L2 distance"),
    Key("kind", "record", "", "`ladder` (the scope baseline), `scopes` (all scopes), `sizes` or `memory`", True),
    Key("protocol", "record", "", "version of the way in which samples are taken (`bench/runner/worker.py`), 2; absent "
        "in records of version 1, where every call had the same images"),
    Key("unit", "record", "", "`second`; `byte` in a record of memory"),
    Key("run", "record", "", "the same text in all files of one run; missing if it was not recorded"),
    Key("reference", "record", "", "kernel that every ratio is over, the first of `run --against`; missing where it is "
        "`python_loops`"),
    Key("order_seed", "record", "", "seed of every random choice in the run"),
    Key("threads", "record", "", "requested threads: `1` or `all` cores", True),
    Key("allocator", "record", "", "requested allocator: the system's `default`, or `keep` to keep freed memory", True),
    Key("allocator_in_force", "record", "", "allocator that took effect; `not applicable` if it cannot be set"),
    Key("environment_set", "record", "", "environment variables that the processes of kernels were given"),
    Key("environment_removed", "record", "", "names of those that they were started without, because they change how "
        "libraries, Python or a compiler run; or `none`"),
    Key("memory_limit_bytes", "record", "bytes", "anonymous memory allowed per process, or `not applicable`"),
    Key("load_average", "record", "processes", "load in the minute before a process starts, highest of all starts"),
    Key("overhead_s", "record", "seconds", "time that the harness adds to a call, longest of all processes"),
    Key("dataset", "digits", "", "name of the data set, and in brackets the chosen classes and the images of each; "
        "`drawn` digits are not MNIST", True),
    Key("dataset_digest", "digits", "", "SHA-256 of class names, split sizes and images, whatever their order within "
        "a class", True),
    Key("per_class", "digits", "images", "images of each class and split in a small data set; missing for a whole one"),
    Key("dataset_of", "digits", "", "`dataset_digest` of the whole data set that a small one was taken from"),
    Key("too_close_l1", "digits", "images", "images with more than one acceptable class under the L1 distance"),
    Key("too_close_l2", "digits", "images", "the same under the L2 distance"),
    Key("exact_l1", "digits", "images", "correct labels under the L1 distance in exact arithmetic, by class"),
    Key("exact_l2", "digits", "images", "the same under the L2 distance"),
    Key("exact_signed", "digits", "images", "correct labels by the smallest absolute *signed* mean difference, without "
        "`abs` or a square, exactly; ties go to the lowest class"),
    Key("only_l1_right", "digits", "images", "validation images that are right under the L1 distance alone"),
    Key("only_l2_right", "digits", "images", "validation images that are right under the L2 distance alone"),
    Key("margin_l1", "digits", "0 to 1", "relative margin under the L1 distance, median over the validation images: "
        "second smallest distance less the smallest, over their sum"),
    Key("margin_l2", "digits", "0 to 1", "the same under the L2 distance"),
    Key("margin_change", "digits", "", "median change of that margin, image by image: L2 distance less L1 distance"),
    Key("margin_change_by_class", "digits", "", "the same class by class, separated by spaces"),
    Key("margin_change_low", "digits", "", "low end of the confidence interval of `margin_change`, from six images on"),
    Key("margin_change_high", "digits", "", "its high end"),
    Key("margin_change_level", "digits", "0 to 1", "level that this interval achieves, by the sign test"),
    Key("loading_s", "digits", "seconds", "time to load the digits once, from file to arrays; missing for drawn ones"),
    Key("image_pixels", "digits", "pixels", "pixels of one image, which is also its size in bytes", True),
    Key("classes", "digits", "", "class names, separated by spaces; `␣` stands for a space in a name"),
    Key("train_counts", "digits", "images", "training images of each class, separated by spaces", True),
    Key("valid_counts", "digits", "images", "validation images of each class, separated by spaces", True),
    Key("cpu_model_name", "record", "", "processor", True),
    Key("cpu_count", "record", "cores", "cores that this process may use", True),
    Key("platform", "record", "", "system and architecture"),
    Key("memory_bytes", "record", "bytes", "size of the machine's memory"),
    Key("caches", "record", "", "data caches of a core, such as `L1 48K, L2 1024K, L3 32768K`, or `unknown`", True),
    Key("gpu", "record", "", "name and driver version of each NVIDIA GPU, or `none`"),
    Key("gpu_driver", "record", "", "driver version of the GPU that kernels use: the first of `CUDA_VISIBLE_DEVICES`, "
        "or number 0. Missing without a GPU. This key and the GPU keys below are `not measured: ` and the reason where "
        "they cannot be read, as without `pip install nvidia-ml-py`"),
    Key("gpu_memory_bytes", "record", "bytes", "size of the GPU's memory"),
    Key("gpu_max_clock_mhz", "record", "MHz", "highest clock of the GPU's multiprocessors"),
    Key("gpu_max_memory_clock_mhz", "record", "MHz", "highest clock of the GPU's memory"),
    Key("gpu_power_limit_watts", "record", "watts", "enforced power limit of the GPU"),
    Key("gpu_throttled", "record", "", "why the GPU was below its clocks right after any timed sample (NVML's clocks "
        "event reasons), such as `software power cap, hardware thermal slowdown`; else `no`. Idle clocks, clocks that "
        "somebody set, and first calls do not count. Missing if nothing was timed on a GPU"),
    Key("gpu_clock_mhz", "record", "MHz", "lowest GPU clock right after a timed sample; else missing"),
    Key("gpu_memory_clock_mhz", "record", "MHz", "the same for the GPU's memory"),
    Key("governor", "record", "", "frequency governor of the first core, such as `performance`, or `unknown`"),
    Key("python_version", "record", "", "version and implementation of Python"),
    Key("numpy_version", "record", "", "version, or `not installed`"),
    Key("torch_version", "record", "", "version, or `not installed`"),
    Key("pyperf_version", "record", "", "version, or `not installed`"),
    Key("threadpoolctl_version", "record", "", "version, or `not installed`"),
    Key("commit", "record", "", "commit of this repository; ends in `-modified` if tracked files differed from it"),
    Key("not_in_commit", "record", "", "files of kernels that `commit` does not have as they were run, such as `a.py, "
        "mine.py (not in this repository)`; the latter came from elsewhere, by `--kernel`. Missing if there are none"),
    Key("not_timed", "record", "", "JSON list of the kernels without samples: `kernel`, `status` (`unavailable`, "
        "`disagrees`, `broken`, `out of memory`, `not measured`) and `reason`, in which paths have lost their folders"),
    Key("command", "record", "", "command that recorded it, as it was typed, files by name only"),
    Key("forced", "record", "", "why `publish` would have refused it without `--force`; else missing"),
    Key("checksum", "record", "", "SHA-256 of everything else in the file (`bench/records/checksum.py`); a file that "
        "differs from it is refused. Missing in older records"),
    Key("schema", "record", "", "version of these keys, 2"),
    Key("date", "record", "", "when the file was written: UTC, ISO 8601"),
)  # fmt: skip
NAMES = {key.name for key in KEYS}
PER_KERNEL = tuple(key.name for key in KEYS if key.subject in ("kernel", "broadcast"))
REQUIRED = {key.name for key in KEYS if key.required} - {"threads", "allocator"}  # which may be in the runs alone


def with_tables(readme: str) -> str:
    """Return the text of results/README.md with new tables between its markers."""
    parts = []
    for subject, heading in HEADINGS.items():
        rows = [f"| `{key.name}` | {key.unit} | {key.meaning} |" for key in KEYS if key.subject == subject]
        parts.append("\n".join([f"### {heading}", "", "| key | unit | meaning |", "|---|---|---|", *rows]))
    tables = "\n\n".join(parts)
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    new_text = with_tables(README.read_text(encoding="utf-8"))
    atomic.write(README, new_text)
