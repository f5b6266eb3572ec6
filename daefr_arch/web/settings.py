"""What can be chosen for a photo on the page and through the API; the names are the command's flags."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daefr_arch.choices import LARGEST_UPSCALE, UPSCALE
from daefr_arch.errors import InputError

Model = TypeVar('Model', bound=BaseModel)


class ResultSettings(BaseModel):
    """What may be changed at any time: the network has seen the faces already, only its result is used otherwise."""

    model_config = ConfigDict(extra='forbid', frozen=True)

    weight: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="fidelity: 0 for the network's face alone, 1 for all of the photo that could be evidence; null (in "
        "a form: 'auto') for what the evidence says",
    )
    upscale: float = Field(
        default=UPSCALE, gt=0, le=LARGEST_UPSCALE, description='size of the result over that of the photo'
    )
    bg_upsampler: Literal['none', 'realesrgan'] = Field(
        default='none', description='none: Lanczos; realesrgan where the server was started with it'
    )
    ext: Literal['auto', 'png', 'jpg', 'webp'] = Field(
        default='auto', description="format of the result; auto: the photo's, png where that is none of these"
    )
    left_out: tuple[int, ...] = Field(
        default=(), max_length=10_000, description='faces, counted from 0, that keep the pixels of the photo'
    )


class PhotoSettings(ResultSettings):
    """What a photo is sent with: also what decides which faces there are."""

    has_aligned: bool = Field(default=False, description='the image is one aligned, square face: the result is a face')
    only_center_face: bool = Field(default=False, description='restore only the face nearest to the centre')


class FacePoint(BaseModel):
    """Where a face is that was not found, in pixels of the photo."""

    model_config = ConfigDict(extra='forbid', frozen=True)

    x: float = Field(ge=0, le=1e6, description='pixels from the left')
    y: float = Field(ge=0, le=1e6, description='pixels from the top')


def parse(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The values, numbers as text too, as the model. Raises InputError that names the first that is wrong."""
    try:
        return model.model_validate({**values, 'weight': None} if values.get('weight') == 'auto' else values)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        name = '.'.join(str(part) for part in wrong['loc'])
        known = ', '.join(model.model_fields)
        if wrong['type'] == 'extra_forbidden':
            raise InputError(f'{name}: unknown, expected some of {known}') from error
        raise InputError(f'{name}: {wrong["msg"]}, got {wrong["input"]!r}'[:300]) from error
