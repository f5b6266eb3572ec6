"""Results of methods that ran elsewhere: folders of faces, and of films, from which the faces of stills are cut."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from daefr_arch.comparison.face_set import FaceSet, FacesOfPhoto
from daefr_arch.comparison.film_stills import still_of
from daefr_arch.comparison.films import films_by_name
from daefr_arch.comparison.method import INPUT, Method, naming
from daefr_arch.errors import InputError
from daefr_arch.faces.aligner import crop_face
from daefr_arch.faces.paster import paste_matrix
from daefr_arch.io.image_file import read_image, write_image
from daefr_arch.io.image_listing import list_images
from daefr_arch.io.pairing import pair_by_name
from daefr_arch.io.photo import as_uint8
from daefr_arch.io.resize import resize_square
from daefr_arch.video.displayed import displayed_frames
from daefr_arch.video.recognition import list_photos_and_films
from daefr_arch.video.source import VideoSource


def take_results(method: Method, faces: FaceSet) -> None:
    """Writes the method's faces to the face set's folder, resized to the size of the crops.

    Faces are paired with the crops by name. Those of films' stills are cut from the folder's film of the same name
    where the folder has none of them.

    Raises InputError where files do not pair, a face is not square, or a film has fewer frames than its source.
    """
    with naming(method):
        results, _ = list_photos_and_films(method.source)
        cut = _faces_to_cut(method, faces, {result.stem for result in results})
        names = {name for photos in cut.values() for photo in photos for name in photo.names}
        crops = [crop for crop in list_images(faces.folder(INPUT)) if crop.stem not in names]
        for result, crop in pair_by_name(results, crops):
            face = as_uint8(read_image(result, whole=True).pixels)
            if face.shape[0] != face.shape[1]:
                raise InputError(f'{result}: expected a square face, got {face.shape[1]}x{face.shape[0]} pixels')
            write_image(faces.folder(method.name) / crop.name, resize_square(face, faces.face_size))
        for film, photos in cut.items():
            _cut_faces(film, photos, method, faces)


def _faces_to_cut(method: Method, faces: FaceSet, results: set[str]) -> dict[Path, list[FacesOfPhoto]]:
    """The folder's films, each with the stills of its source that no face was given of."""
    films = films_by_name(method)
    cut: dict[Path, list[FacesOfPhoto]] = {}
    for photo in faces.photos:
        still = still_of(photo.source, faces.root)
        if still is not None and still[0] in films and not results & set(photo.names):
            cut.setdefault(films[still[0]], []).append(photo)
    return cut


def _cut_faces(film: Path, photos: Sequence[FacesOfPhoto], method: Method, faces: FaceSet) -> None:
    photo_of = {still[1]: photo for photo in photos if (still := still_of(photo.source, faces.root))}
    for frame, picture in displayed_frames(VideoSource(film), photo_of):
        photo = photo_of.pop(frame.index)
        upscale = picture.shape[1] / read_image(photo.source).pixels.shape[1]
        for name, matrix in zip(photo.names, photo.matrices, strict=True):
            placed = cv2.invertAffineTransform(paste_matrix(matrix, upscale))
            write_image(faces.folder(method.name) / f'{name}.png', crop_face(picture, placed, faces.face_size))
    if photo_of:
        raise InputError(f'{film}: has no frame {min(photo_of)}, its source has: expected as many frames')
