"""The description of the API (OpenAPI 3.1); parameters are those of the models that check them."""

from typing import Any

from pydantic import BaseModel

from daefr_arch.version import __version__
from daefr_arch.web.job import DONE, FAILED, WAITING, WORKING
from daefr_arch.web.settings import FacePoint, PhotoSettings, ResultSettings
from daefr_arch.web.upload import FILE_PART

ERRORS = {
    '400': 'wrong parameters; `error` names the first',
    '401': 'the token is missing or wrong',
    '403': 'another page asked',
    '404': 'no such photo: removed, or kept long enough',
    '408': 'the photo came too slowly',
    '409': 'not done yet, or failed',
    '413': 'too many bytes or pixels',
    '421': 'asked by a name that is not this server',
    '429': 'too many photos wait; Retry-After says when to send this one again',
}
TEXT, NUMBER, COUNT = {'type': 'string'}, {'type': 'number'}, {'type': 'integer'}
FACE = {
    'type': 'object',
    'properties': {
        'box': {'type': ['array', 'null'], 'items': NUMBER, 'description': 'x0, y0, x1, y1 in pixels of the photo'},
        'status': {
            'enum': ['kept', 'repaired', 'guessed', 'failed', None],
            'description': 'null where it is left out or not done yet',
        },
        'left_out': {'type': 'boolean'},
        'warnings': {'type': 'array', 'items': TEXT},
    },
}
JOB = {
    'type': 'object',
    'properties': {
        'id': TEXT,
        'name': {**TEXT, 'description': 'of the file that was sent, without folders'},
        'state': {'enum': [WAITING, WORKING, DONE, FAILED]},
        'step': {**TEXT, 'description': 'what is being done'},
        'faces_done': COUNT,
        'faces_to_do': COUNT,
        'error': {'type': ['string', 'null'], 'description': 'why it failed'},
        'notice': {'type': ['string', 'null'], 'description': 'what became of the face that was asked for last'},
        'warnings': {'type': 'array', 'items': TEXT},
        'width': COUNT,
        'height': COUNT,
        'faces': {'type': 'array', 'items': {'$ref': '#/components/schemas/Face'}},
        'settings': {'$ref': '#/components/schemas/PhotoSettings'},
        'version': {**COUNT, 'description': 'counts the results; the pictures of 0 are not there yet'},
        'result': {
            'type': ['object', 'null'],
            'properties': {'name': TEXT, 'bytes': COUNT},
            'description': 'once it is done',
        },
        'seconds_left': {'type': ['integer', 'null'], 'description': 'until it is deleted'},
    },
}
LIMITS = {
    'type': 'object',
    'properties': {
        'version': TEXT,
        'max_bytes': COUNT,
        'max_pixels': COUNT,
        'keep_minutes': NUMBER,
        'extensions': {'type': 'array', 'items': TEXT, 'description': 'of files that are photos'},
        'realesrgan': {'type': 'boolean', 'description': 'whether bg_upsampler may be that'},
    },
}
ID = {'name': 'id', 'in': 'path', 'required': True, 'schema': TEXT}
DESCRIBED = {'$ref': '#/components/schemas/Job'}


def description() -> dict[str, Any]:
    """The whole of it."""
    return {
        'openapi': '3.1.0',
        'info': {
            'title': 'DAEFR: blind face restoration',
            'version': __version__,
            'description': 'Send a photo to /api/restore, ask for its job until that is done, fetch the result.',
        },
        'security': [{'token': []}],
        'paths': _paths(),
        'components': {
            'securitySchemes': {'token': {'type': 'http', 'scheme': 'bearer'}},
            'schemas': {
                'Job': JOB,
                'Face': FACE,
                'Limits': LIMITS,
                'Error': {'type': 'object', 'properties': {'error': TEXT}, 'required': ['error']},
                **{model.__name__: _schema(model) for model in (PhotoSettings, ResultSettings, FacePoint)},
            },
        },
    }


def _paths() -> dict[str, Any]:
    upload = _schema(PhotoSettings)
    upload['properties'] = {FILE_PART: {**TEXT, 'format': 'binary', 'description': 'the photo'}, **upload['properties']}
    upload['required'] = [FILE_PART]
    ids = {'name': 'ids', 'in': 'query', 'required': True, 'schema': TEXT, 'description': 'with commas between them'}
    kind = {'name': 'picture', 'in': 'path', 'required': True, 'schema': {'enum': ['thumbnail', 'before', 'after']}}
    face = {'name': 'face', 'in': 'query', 'schema': COUNT, 'description': 'only what is around this face'}
    several = {'type': 'object', 'properties': {'jobs': {'type': 'array', 'items': DESCRIBED}}}
    return {
        '/api/restore': {
            'post': _operation(
                'Restore a photo', '202', DESCRIBED, body=('multipart/form-data', upload), errors='400 408 413 429'
            )
        },
        '/api/jobs': {'get': _operation('Several photos, without those that are gone', '200', several, [ids])},
        '/api/jobs/{id}': {
            'get': _operation('A photo', '200', DESCRIBED, [ID], errors='404'),
            'patch': _operation(
                'Change the result; the network does not run again',
                *('200', DESCRIBED, [ID]),
                body=('application/json', {'$ref': '#/components/schemas/ResultSettings'}),
                errors='400 404',
            ),
            'delete': _operation('Cancel and delete a photo', '204', None, [ID], errors='404'),
        },
        '/api/jobs/{id}/faces': {
            'post': _operation(
                'Look for a face at a point, turned ones too; `notice` says where none is found',
                *('202', DESCRIBED, [ID]),
                body=('application/json', {'$ref': '#/components/schemas/FacePoint'}),
                errors='400 404',
            )
        },
        '/api/jobs/{id}/result': {
            'get': _operation(
                'The restored photo, the file that `daefr restore` would write',
                *('200', {**TEXT, 'format': 'binary'}, [ID]),
                kind='image/*',
                errors='404 409',
            )
        },
        '/api/jobs/{id}/{picture}.jpg': {
            'get': _operation(
                'A small picture to look at',
                '200',
                {**TEXT, 'format': 'binary'},
                [ID, kind, face],
                kind='image/jpeg',
                errors='404',
            )
        },
        '/api/results.zip': {
            'post': _operation(
                'The results of several photos',
                *('200', {**TEXT, 'format': 'binary'}),
                kind='application/zip',
                body=('application/x-www-form-urlencoded', {'type': 'object', 'properties': {'ids': TEXT}}),
                errors='409 413',
            )
        },
        '/api/limits': {'get': _operation('Limits', '200', {'$ref': '#/components/schemas/Limits'})},
        '/api/openapi.json': {'get': _operation('This description', '200', {'type': 'object'})},
    }


def _operation(
    summary: str,
    status: str,
    answer: dict[str, Any] | None,
    parameters: list[dict[str, Any]] | None = None,
    *,
    kind: str = 'application/json',
    body: tuple[str, dict[str, Any]] | None = None,
    errors: str = '',
) -> dict[str, Any]:
    """A method of a path; errors: their statuses, besides those of the guard."""
    failed = {'application/json': {'schema': {'$ref': '#/components/schemas/Error'}}}
    responses: dict[str, Any] = {status: {'description': summary}}
    if answer is not None:
        responses[status]['content'] = {kind: {'schema': answer}}
    responses |= {code: {'description': ERRORS[code], 'content': failed} for code in errors.split()}
    responses |= {code: {'description': ERRORS[code]} for code in ('401', '403', '421')}
    operation: dict[str, Any] = {'summary': summary, 'responses': responses}
    if parameters:
        operation['parameters'] = parameters
    if body is not None:
        operation['requestBody'] = {'required': True, 'content': {body[0]: {'schema': body[1]}}}
    return operation


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {**model.model_json_schema(), 'description': (model.__doc__ or '').strip()}
