"""scikit-learn's `NearestCentroid`: the whole baseline is one estimator, `fit` and `predict`.

After scipy_cdist: `fit` copies all stacks into one and computes the spread within classes too, in temporaries of that
size, mapped and faulted in page by page.
Peer: scikit-learn's own estimator; under metric="manhattan" its centroids are medians, which answers another question
and is not ranked, so the L1 distance here is scikit-learn's nearest row under "manhattan" among the means.
The means are the fitted estimator. `fit` takes nearly all the time, for the spread, which is not used here.
Temporaries: in `fit` all stacks in one, (n, height * width) float64, several times.
Source: scikit-learn's user guide, "Nearest Centroid Classifier".
"""

import warnings

import numpy as np
from sklearn.metrics import pairwise_distances_argmin
from sklearn.neighbors import NearestCentroid


def prepare(images, device):
    return images / 255  # float64, as its float32 sums over n images are too inexact


def rows(stack):
    return stack.reshape(len(stack), -1)


def mean_images(stacks):
    classes = np.repeat(np.arange(len(stacks)), [len(stack) for stack in stacks])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the spread, as the border of a digit is always empty
        return NearestCentroid().fit(np.concatenate([rows(stack) for stack in stacks]), classes), stacks[0].shape[1:]


def predict_l1(images, means):
    return pairwise_distances_argmin(rows(images), means[0].centroids_, metric="manhattan")


def predict_l2(images, means):
    return means[0].predict(rows(images))


def to_host(means):
    return means[0].centroids_.reshape(-1, *means[1])
