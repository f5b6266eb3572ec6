"""The JSON schema of option files, for editors: `python -m daefr_arch.options.schema > options/schema.json`.

It knows this package's models, datasets and networks, and BasicSR's losses and metrics too; what is of other packages
passes. Nothing is required: a file may leave to its `base` what it does not say.
"""

import json
import sys
from typing import Any, Literal

from pydantic import Field, create_model
from pydantic.json_schema import models_json_schema

from daefr_arch.options.dataset import DATASET, Dataset
from daefr_arch.options.documentation import argument_sections, files
from daefr_arch.options.registered import DEFINITION, LOSS, METRIC, NETWORK, Registered
from daefr_arch.options.run_file import OPTIMISER, SCHEDULER
from daefr_arch.options.section import Section
from daefr_arch.options.signature import BASICSR, OWN

_PACKAGES = {NETWORK: (OWN,), DATASET: (OWN,), LOSS: (OWN, BASICSR), METRIC: (OWN, BASICSR)}


def schema() -> dict[str, Any]:
    """The schema."""
    models = {name: _of_model(name, file) for name, file in files()}
    typed = {
        registered: {name: registered.section(item)[0] for name, item in registered.classes(*packages)}
        for registered, packages in (_PACKAGES | {OPTIMISER: ('',), SCHEDULER: ('',)}).items()
    }
    arguments = {held.definition: held.section for held in argument_sections().values()}
    everything = [*models.values(), *(section for of in typed.values() for section in of.values()), *arguments.values()]
    references, whole = models_json_schema([(section, 'validation') for section in dict.fromkeys(everything)])
    reference = {section: value for (section, _), value in references.items()}
    definitions = {
        **whole['$defs'],
        **{registered.definition: _typed(registered, of, reference) for registered, of in typed.items()},
        **{name: reference[section] for name, section in arguments.items()},
    }
    other = {'required': ['model_type'], 'properties': {'model_type': {'not': {'enum': list(models)}}}}
    return _simplified(
        {
            '$schema': 'http://json-schema.org/draft-07/schema#',
            'title': 'Option file of DAEFR for BasicSR',
            'type': 'object',
            'anyOf': [*(reference[model] for model in models.values()), other],
            '$defs': dict(sorted(definitions.items())),
        }
    )


def _of_model(name: str, file: type[Section]) -> type[Section]:
    """The file of one model, which may have a base, and leave out datasets of it."""
    base = Field(None, description='an option file, relative to this one, whose options this one changes')
    model_type = Field(description=file.model_fields['model_type'].description)
    datasets = Field(description=file.model_fields['datasets'].description)
    fields: dict[str, Any] = {
        'model_type': (Literal[name], model_type),
        'base': (str | None, base),
        'datasets': (dict[str, Dataset | None], datasets),
    }
    return create_model(f'{name} file', __base__=file, **fields)


def _typed(registered: Registered, sections: dict[str, type[Section]], reference: dict) -> dict[str, Any]:
    """What a mapping with a `type` may be: that of the class; of an unknown one, anything."""
    known = {'enum': list(sections)}
    return {
        'type': 'object',
        'description': registered.words,
        'properties': {'type': {'anyOf': [known, {'type': 'string'}]}},
        'allOf': [
            {
                'if': {'required': ['type'], 'properties': {'type': {'const': name}}},
                'then': reference[section],
            }
            for name, section in sections.items()
        ],
    }


def _simplified(value: Any) -> Any:
    """Without what pydantic adds for readers of Python, with references where a Checked stands."""
    if isinstance(value, list):
        return [_simplified(item) for item in value]
    if not isinstance(value, dict):
        return value
    if DEFINITION in value:
        return {'$ref': f'#/$defs/{value[DEFINITION]}'}
    is_section = value.get('type') == 'object' and isinstance(value.get('properties'), dict)
    return {
        key: _simplified(item)
        for key, item in value.items()
        if not (is_section and key == 'required') and not (key == 'title' and isinstance(item, str) and 'type' in value)
    }


def text() -> str:
    """The schema as options/schema.json has it."""
    return json.dumps(schema(), indent=1) + '\n'


if __name__ == '__main__':
    sys.stdout.write(text())
