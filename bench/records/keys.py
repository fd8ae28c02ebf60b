"""Every metadata key of a record, by what it describes. results/README.md explains each; a test compares the two."""

from bench.kernel import ROOT

SUBJECTS = {
    "sample": """
        name kernel scope distance images loops process round position minor_faults context_switches peak_rss_bytes
        cpu_cores other_cores steal_cores waited_cores
    """,
    "memory": """
        anonymous_before_bytes temporaries_bytes device_before_bytes device_temporaries_bytes not_measured
    """,
    "kernel": """
        device source_hash mean_error correct_l1 correct_l2 threads_in_force stack_bytes_train
        stack_bytes_valid code_lines code_tokens
    """,
    "broadcast": """
        ranks_l1 ranks_l2 expansion_strides expansion_full_bytes expansion_bytes expression_bytes_l1
        expression_bytes_l2
    """,
    "record": """
        kind protocol unit run reference order_seed threads allocator allocator_in_force environment_set
        environment_removed memory_limit_bytes load_average overhead_s cpu_model_name cpu_count platform memory_bytes
        caches gpu gpu_driver gpu_memory_bytes gpu_max_clock_mhz gpu_max_memory_clock_mhz gpu_power_limit_watts
        gpu_throttled gpu_clock_mhz gpu_memory_clock_mhz governor python_version numpy_version torch_version
        pyperf_version threadpoolctl_version commit not_in_commit not_timed command forced checksum schema date
    """,
    "digits": """
        dataset dataset_digest per_class dataset_of too_close_l1 too_close_l2 exact_l1 exact_l2 exact_signed
        only_l1_right only_l2_right margin_l1 margin_l2 margin_change margin_change_by_class margin_change_low
        margin_change_high margin_change_level loading_s image_pixels classes train_counts valid_counts
    """,
}
README = ROOT / "results" / "README.md"
KEYS = {subject: tuple(names.split()) for subject, names in SUBJECTS.items()}
NAMES = {name for names in KEYS.values() for name in names}
PER_KERNEL = (*KEYS["kernel"], *KEYS["broadcast"])
REQUIRED = {  # what every record of this project has
    "kind", "dataset", "dataset_digest", "image_pixels", "train_counts", "valid_counts", "cpu_model_name",
    "cpu_count", "caches",
}  # fmt: skip
