"""Colours of a restored face against those of the photo it came from."""

import cv2
import numpy as np

GREY_TOLERANCE = 3.0  # mean difference of the channels, of 255: JPEG leaves up to about 2 in a grey photo
COARSE_COLOUR = 0.09  # standard deviation of what counts as coarse, as part of the face's side


def is_grey(img: np.ndarray) -> bool:
    """Whether an image (H, W, 3) uint8 shows no colour."""
    blue, green, red = (channel.astype(np.int16) for channel in cv2.split(img))
    differences = (blue - green, green - red, red - blue)
    return all(float(np.abs(difference).mean()) < GREY_TOLERANCE for difference in differences)


def match_colour(face: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """`face` with the coarse colours of `reference`, both (R, R, 3) BGR uint8; lightness and fine colours stay.

    Low frequencies of Lab's two colour channels are taken over, so that a restored face fits a faded or toned photo.
    """
    lab, target = (cv2.cvtColor(img.astype(np.float32) / 255, cv2.COLOR_BGR2LAB) for img in (face, reference))
    sigma = COARSE_COLOUR * face.shape[0]
    difference = (target - lab)[:, :, 1:]
    lab[:, :, 1:] += np.asarray(cv2.GaussianBlur(difference, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))
    bgr = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
    return np.rint(bgr.clip(0, 1) * 255).astype(np.uint8)


def blend_faces(restored: np.ndarray, cropped: np.ndarray, share: float) -> np.ndarray:
    """`share` of the restored and 1 - `share` of the cropped face, rounded; share in [0, 1], both (H, W, 3) uint8."""
    return cv2.addWeighted(restored, share, cropped, 1 - share, 0)
