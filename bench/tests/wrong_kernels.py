"""Kernels that are wrong in one way each: name -> (definitions that replace the right ones, message of `verify`)."""

HALF = """
def predict_l1(images, means):
    images, means = images.astype(np.float16), means.astype(np.float16)
    return np.argmin([abs(images - mean).mean((-1, -2), dtype=np.float16) for mean in means], axis=0)
"""

ANSWERS = """
right = predict_l1

def predict_l1(images, means):
    labels = right(images, means)
    {}
"""

MEANS = """
right_means = mean_images

def mean_images(stacks):
    means = right_means(stacks)
    {}
"""

SUM_IN_PREPARE = """
class Stack:
    def __init__(self, images, total, n):
        self.images, self.total, self.n = images, total, n

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return Stack(self.images[index], self.total, self.n)

def prepare(images, device):
    return Stack(images / 255, images.sum(0) / 255, len(images))

def mean_images(stacks):
    return np.stack([stack.total / stack.n for stack in stacks])

def predict_l1(stack, means):
    return np.argmin([abs(stack.images - mean).mean((-1, -2)) for mean in means], axis=0)

def predict_l2(stack, means):
    return np.argmin([((stack.images - mean) ** 2).mean((-1, -2)) for mean in means], axis=0)
"""

REMEMBERED = """
right, right_means, answers, remembered_means = predict_l1, mean_images, {}, {}

def recall(memory, key, compute):
    if key not in memory:
        memory[key] = compute()
    return memory[key].copy()
"""

WIPED = """
import ctypes

def prepare(images, device):
    stack = images / 255
    if {which}:
        ctypes.memset(images.ctypes.data, 7, images.nbytes)
    return stack
"""

ORDER = "means = np.stack(sorted(means, key=np.sum))"  # relies on the first class being the darker one

IN_ANOTHER_ORDER = "l1: images and classes in another order: "
SECOND_CALL = "l1: second call on the same stack: "
MEANS_SECOND_CALL = "^second call on the same stacks: mean images"
MEANS_OF_CHANGED = "^mean_images answered for images that had changed: mean images"
DIFFER = r"\d+ of \d+ images differ"
TOO_FAR = "mean images are up to .* expected at most 2\\^-14"

WRONG = {
    # labels
    "swapped": (ANSWERS.format("return 1 - labels"), f"^l1: {DIFFER}"),
    "swapped_l2": ("predict_l2 = lambda images, means: 1 - predict_l1(images, means)", f"^l2: {DIFFER}"),
    "l1_for_l2": ("predict_l2 = predict_l1", f"^l2: {DIFFER}"),
    "one_image": (ANSWERS.format("labels[7] = 1 - labels[7]; return labels"), "^l1: 1 of 81 images differ"),
    "class_order": (ANSWERS.replace("labels =", f"{ORDER}; labels =").format("return labels"), IN_ANOTHER_ORDER),
    # what labels are
    "floats": (ANSWERS.format("return labels.astype(float)"), r"^l1: labels are float64 \(81,\), expected integers"),
    "list_of_floats": (ANSWERS.format("return labels.astype(float).tolist()"), "^l1: labels are a list of float, exp"),
    "mixed_list": (ANSWERS.format("return [1.0 * labels[0], *labels[1:]]"), "^l1: labels are a list of float64, int64"),
    "tuple": (ANSWERS.format("return tuple(labels)"), "^l1: answered a builtins.tuple, expected a list or a numpy"),
    "subclass": (ANSWERS.format("return np.ma.array(labels)"), "^l1: answered a numpy.ma.*MaskedArray, expected"),
    "ragged": (ANSWERS.format("return [[*labels[:5]], [*labels[5:]]]"), "^l1: labels are no flat list of integers"),
    "column": (ANSWERS.format("return labels[:, None]"), r"^l1: labels are int64 \(81, 1\), expected .* \(81,\)"),
    "too_few": (ANSWERS.format("return labels[1:]"), r"^l1: labels are int64 \(80,\), expected .* \(81,\)"),
    "from_one": (ANSWERS.format("return labels + 1"), "^l1: labels go from 1 to 2, expected 0 to 1"),
    "negative": (ANSWERS.format("return labels - 1"), "^l1: labels go from -1 to 0, expected 0 to 1"),
    # mean images
    "means_nan": (MEANS.format("means[0, 1, 2] = np.nan; return means"), "^mean images hold 1 NaN, expected none"),
    "means_flat": (
        MEANS.format("return means") + "\ndef to_host(means):\n    return means.reshape(2, -1)",
        r"^mean images are float64 \(2, 20\), expected float \(2, 5, 4\)",
    ),
    "means_to_255": ("def to_host(means):\n    return 255 * means", f"^{TOO_FAR}"),
    "means_integers": ("def to_host(means):\n    return means.astype(int)", r"^mean images are int64 \(2, 5, 4\)"),
    "means_n_minus_1": ("mean_images = lambda s: np.stack([x.sum(0) / (len(x) - 1) for x in s])", f"^{TOO_FAR}"),
    "means_half": (
        "mean_images = lambda s: np.stack([np.cumsum(x, 0, dtype=np.float16)[-1] / len(x) for x in s]).astype(float)",
        f"^{TOO_FAR}",
    ),
    "means_wrong_once": (
        "calls = []\n" + MEANS.format("calls.append(1); return means + (len(calls) == 2)"),
        MEANS_SECOND_CALL,
    ),
    # what a stack is
    "sum_in_prepare": (SUM_IN_PREPARE, f"^{TOO_FAR}"),
    "drops_an_image": (
        "prepare = lambda images, device: images[1:] / 255",
        "^prepare gave a stack of length 75, expected 76",
    ),
    "reorders": ("prepare = lambda images, device: images[::-1] / 255", f"^{TOO_FAR}"),
    # memory
    "remembers_by_shape": (
        f"{REMEMBERED}predict_l1 = lambda x, m: recall(answers, x.shape, lambda: right(x, m))",
        IN_ANOTHER_ORDER,
    ),
    "remembers_by_image": (
        f"{REMEMBERED}each = lambda x, m: recall(answers, x.tobytes(), lambda: right(x[None], m)[0])\n"
        "predict_l1 = lambda images, m: np.array([each(x, m) for x in images])",
        IN_ANOTHER_ORDER,
    ),
    "remembers_stacks": (
        "stacks = {}\ndef prepare(x, device):\n    return stacks.setdefault(x.shape, x / 255).copy()",
        "^l1: of images prepared anew: ",
    ),
    "remembers_means": (
        f"{REMEMBERED}mean_images = lambda s: recall(remembered_means, (*map(len, s),), lambda: right_means(s))",
        MEANS_OF_CHANGED,
    ),
    "first_call_only": (
        "calls = []\n" + ANSWERS.format("calls.append(1); return labels * (len(calls) < 2)"),
        SECOND_CALL,
    ),
    "one_buffer": (
        "buffer = np.zeros(81, int)\n" + ANSWERS.format("buffer[:] = labels; return buffer"),
        "^l1: a later call overwrote the answer of an earlier one",
    ),
    "one_buffer_of_means": (
        "buffer = np.zeros((2, 5, 4))\n" + MEANS.format("buffer[:] = means; return buffer"),
        "overwrote the mean images of an earlier one",
    ),
    # changed inputs
    "changes_images": (ANSWERS.format("images -= means[0]; return labels"), SECOND_CALL),
    "changes_means": (ANSWERS.format("means *= 1.0001; return labels"), "predict changed the means that it was given"),
    "changes_stacks": (MEANS.format("stacks[0] *= 0.5; return means"), MEANS_SECOND_CALL),
    "changes_training": (WIPED.format(which="len(images) == 76"), "^the uint8 images given to prepare were changed"),
    "changes_validation": (
        WIPED.format(which="len(images) == 145"),
        "^the uint8 images given to prepare were changed",
    ),
}
