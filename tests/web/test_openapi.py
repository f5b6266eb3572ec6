"""The description of the API is of this API: its paths, its methods, its answers."""

import jsonschema

from daefr_arch.web import openapi
from daefr_arch.web.app import PAGE, WebApp


def schema(name):
    """A component, with the others that it refers to."""
    return {**openapi.description(), '$ref': f'#/components/schemas/{name}'}


def test_every_route_is_described_and_no_other(client, restorer):
    app = WebApp(client.server.book, None, 1, 1, has_page=True, has_upsampler=False).build()
    routes = {}
    for route in app.routes:
        routes.setdefault(route.path, set()).update(method.lower() for method in route.methods - {'HEAD'})
    pages = {'/', *(f'/{file.name}' for file in PAGE.iterdir())} - {'/page.html'}
    described = {path: set(methods) for path, methods in openapi.description()['paths'].items()}
    assert described == {path: methods for path, methods in routes.items() if path not in pages}
    assert pages <= routes.keys()


def test_answers_are_as_described(client, photo):
    described = client.call('GET', '/api/openapi.json').json()
    assert described == openapi.description()
    strict = {'additionalProperties': False}
    for name in ('Job', 'Face', 'Limits'):
        described['components']['schemas'][name] |= strict
        described['components']['schemas'][name]['required'] = list(
            described['components']['schemas'][name]['properties']
        )

    def check(value, name):
        jsonschema.validate(value, {**described, '$ref': f'#/components/schemas/{name}'})

    check(client.call('GET', '/api/limits').json(), 'Limits')
    id_ = client.sent(photo)
    check(client.call('GET', f'/api/jobs/{id_}').json(), 'Job')
    job = client.done(id_)
    check(job, 'Job')
    check(job['settings'], 'PhotoSettings')
    check(client.call('GET', '/api/jobs/none').json(), 'Error')
    failed = client.done(client.sent(b'no photo'))
    check(failed, 'Job')
    listed = client.call('GET', f'/api/jobs?ids={id_},none').json()
    assert [one['id'] for one in listed['jobs']] == [id_]


def test_every_reference_leads_somewhere():
    schemas = openapi.description()['components']['schemas']

    def references(value):
        if isinstance(value, dict):
            yield from (value['$ref'],) if '$ref' in value else ()
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(openapi.description()))
    assert found
    assert {name.removeprefix('#/components/schemas/') for name in found} <= schemas.keys()
