"""What the server answers: the page's files, and the API that the page uses too."""

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib.abc import Traversable
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from daefr_arch.errors import InputError
from daefr_arch.io.image_contents import image_size
from daefr_arch.io.image_formats import FORMATS
from daefr_arch.version import __version__
from daefr_arch.web import openapi
from daefr_arch.web.job import DONE, Job
from daefr_arch.web.job_book import JobBook
from daefr_arch.web.settings import FacePoint, PhotoSettings, ResultSettings, parse
from daefr_arch.web.storage import remove_folder
from daefr_arch.web.upload import TooLargeError, TooSlowError, receive_form
from daefr_arch.web.worker import Worker
from daefr_arch.web.zipped import zipped

PAGE = files('daefr_arch.web').joinpath('page')
MEDIA_TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.svg': 'image/svg+xml',
}
PICTURES = ('thumbnail', 'before', 'after')
MOST_JSON_BYTES = 1 << 20
RETRY_SECONDS = 2


@dataclass(frozen=True)
class WebApp:
    """The endpoints.

    Args:
        book: the photos.
        worker: restores them.
        max_bytes, max_pixels: of a photo; more is refused with 413.
        has_page: False for the API alone.
        has_upsampler: whether a background can be enlarged by a network.
    """

    book: JobBook
    worker: Worker
    max_bytes: int
    max_pixels: int
    has_page: bool
    has_upsampler: bool

    def build(self) -> Starlette:
        """The ASGI app, to be put behind a Guard."""
        routes = [
            Route('/api/restore', self.restore, methods=['POST']),
            Route('/api/jobs', self.jobs),
            Route('/api/jobs/{id}', self.job),
            Route('/api/jobs/{id}', self.change, methods=['PATCH']),
            Route('/api/jobs/{id}', self.remove, methods=['DELETE']),
            Route('/api/jobs/{id}/faces', self.add_face, methods=['POST']),
            Route('/api/jobs/{id}/result', self.result),
            Route('/api/jobs/{id}/{picture}.jpg', self.picture),
            Route('/api/results.zip', self.results, methods=['POST']),
            Route('/api/limits', self.limits),
            Route('/api/openapi.json', self.openapi),
        ]
        if self.has_page:
            # read now: no path from outside is ever opened
            routes += [Route(_address(file.name), _page_file(file)) for file in PAGE.iterdir()]
        return Starlette(routes=routes, exception_handlers={HTTPException: _in_words})

    async def restore(self, request: Request) -> Response:
        """Takes a photo in."""
        with self.book.room() as has_room:
            if not has_room:
                raise HTTPException(
                    429,
                    'Too many photos are waiting: send this one a little later.',
                    {'retry-after': str(RETRY_SECONDS)},
                )
            if int(request.headers.get('content-length', 0)) > self.max_bytes:
                raise HTTPException(413, self._too_large())
            folder = self.book.new_folder()
            try:
                job = await self._received(request, folder)
            except BaseException:
                await run_in_threadpool(remove_folder, folder)
                raise
            self.book.add(job)
        self.worker.restore(job)
        return self._described(job, 202)

    async def _received(self, request: Request, folder: Path) -> Job:
        """The job of the photo that is sent."""
        source = folder / 'sent'
        try:
            form = await receive_form(
                request.stream(), request.headers.get('content-type', ''), source, max_bytes=self.max_bytes
            )
            settings = parse(PhotoSettings, form.fields)
        except TooLargeError as error:
            raise HTTPException(413, self._too_large()) from error
        except TooSlowError as error:
            raise HTTPException(408, str(error)) from error
        except InputError as error:
            raise HTTPException(400, str(error)) from error
        except ClientDisconnect as error:
            raise HTTPException(400, 'The photo did not arrive whole.') from error
        self._check_upsampler(settings)
        if source.stat().st_size == 0:
            raise HTTPException(400, 'The file is empty.')
        size = await run_in_threadpool(image_size, source)
        width, height = size or (0, 0)  # then reading it will say what is wrong
        if width * height > self.max_pixels:
            raise HTTPException(
                413,
                f'The photo has {width} x {height} = {width * height / 1e6:.0f} million pixels; '
                f'at most {self.max_pixels / 1e6:g} million can be restored here.',
            )
        job = Job(folder.name, form.file_name, folder, width, height, settings)
        source.rename(job.source)
        return job

    def _too_large(self) -> str:
        return f'The file is larger than {self.max_bytes / 1e6:.0f} MB, the most that can be sent here.'

    def _check_upsampler(self, settings: ResultSettings) -> None:
        if settings.bg_upsampler != 'none' and not self.has_upsampler:
            raise HTTPException(400, 'bg_upsampler: start the server with --bg_upsampler realesrgan for it')

    async def jobs(self, request: Request) -> Response:
        """Those that are asked for, without those that are gone."""
        found = self.book.get(request.query_params.get('ids', '').split(','))
        return JSONResponse({'jobs': [job.as_dict(keep_seconds=self.book.keep_seconds) for job in found]})

    async def job(self, request: Request) -> Response:
        """One."""
        return self._described(self._job(request))

    async def change(self, request: Request) -> Response:
        """Other settings."""
        job = self._job(request)
        settings = await _parsed(request, ResultSettings)
        self._check_upsampler(settings)
        self.worker.change(job, settings)
        return self._described(job)

    async def add_face(self, request: Request) -> Response:
        """Looks for a face where somebody points."""
        job = self._job(request)
        if job.settings.has_aligned:
            raise HTTPException(400, 'An image that is one aligned face has no other.')
        point = await _parsed(request, FacePoint)
        if not (point.x < job.width and point.y < job.height):
            raise HTTPException(400, f'expected a point of a photo of {job.width} x {job.height} pixels')
        self.worker.change(job, point)
        return self._described(job, 202)

    async def remove(self, request: Request) -> Response:
        """Cancels and deletes."""
        await run_in_threadpool(self.book.remove, self._job(request))
        return Response(status_code=204)

    async def picture(self, request: Request) -> Response:
        """What the page shows."""
        job, kind, face = self._job(request), request.path_params['picture'], request.query_params.get('face')
        if kind not in PICTURES or not (face is None or (face.isascii() and face.isdigit() and len(face) < 6)):
            raise HTTPException(404, 'There is no such picture.')
        return _file(job.picture(kind, None if face is None else int(face)), media_type='image/jpeg')

    async def result(self, request: Request) -> Response:
        """The file itself."""
        job = self._job(request)
        result = job.result
        if job.state != DONE or result is None:
            raise HTTPException(409, job.error or 'The photo is not done yet.')
        return _file(result[0], filename=result[1])

    async def results(self, request: Request) -> Response:
        """All files that are asked for in one archive; a form, so that a browser downloads it."""
        ids = (await _body(request)).decode('ascii', 'replace').removeprefix('ids=').replace('%2C', ',').split(',')
        done = [job.result for job in self.book.get(ids) if job.state == DONE and job.result is not None]
        if not done:
            raise HTTPException(409, 'No photo is done yet.')
        headers = {'content-disposition': 'attachment; filename="restored.zip"'}
        chunks: Iterator[bytes] = zipped(done)
        return StreamingResponse(chunks, media_type='application/zip', headers=headers)

    async def limits(self, request: Request) -> Response:
        """What may be sent, and what there is."""
        return JSONResponse(
            {
                'version': __version__,
                'max_bytes': self.max_bytes,
                'max_pixels': self.max_pixels,
                'keep_minutes': self.book.keep_seconds / 60,
                'realesrgan': self.has_upsampler,
                'extensions': [extension for image_format in FORMATS for extension in image_format.extensions],
            }
        )

    async def openapi(self, request: Request) -> Response:
        """The description of all this."""
        return JSONResponse(openapi.description())

    def _job(self, request: Request) -> Job:
        found = self.book.get([request.path_params['id']])
        if not found:
            raise HTTPException(404, 'There is no such photo: it was removed, or kept long enough.')
        return found[0]

    def _described(self, job: Job, status: int = 200) -> Response:
        return JSONResponse(job.as_dict(keep_seconds=self.book.keep_seconds), status)


def _address(name: str) -> str:
    """Of a file of the page."""
    return '/' if name == 'page.html' else f'/{name}'


def _page_file(file: Traversable) -> Callable[[Request], Awaitable[Response]]:
    content, media_type = file.read_bytes(), MEDIA_TYPES[PurePath(file.name).suffix]

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer


def _file(path: Path, *, media_type: str | None = None, filename: str | None = None) -> Response:
    """A file of a job, which may be gone any moment."""
    try:
        return FileResponse(path, media_type=media_type, filename=filename, stat_result=path.stat())
    except OSError as error:
        raise HTTPException(404, 'There is no such file now.') from error


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_JSON_BYTES:
            raise HTTPException(413, f'Expected at most {MOST_JSON_BYTES} bytes.')
    return bytes(body)


async def _parsed(request: Request, model: Any) -> Any:
    """The JSON object in the body, checked."""
    try:
        values = json.loads(await _body(request))
        if not isinstance(values, dict):
            raise InputError(f'expected a JSON object, got {type(values).__name__}')
        return parse(model, values)
    except InputError as error:
        raise HTTPException(400, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f'expected JSON: {error}'[:300]) from error


async def _in_words(request: Request, error: Exception) -> Response:
    """Every error is an object that says in words what is wrong."""
    assert isinstance(error, HTTPException)
    return JSONResponse({'error': error.detail}, error.status_code, error.headers)
