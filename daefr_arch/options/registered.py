"""Sections of what is registered: networks, losses, metrics, datasets, and the few optimisers and schedulers.

A `Registered` stands in an annotation, `pixel_opt: Annotated[dict[str, Any], Registered('loss', LOSS_REGISTRY)]`: the
value stays the mapping that BasicSR's builders take, after a check against the section of the class that it names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from basicsr.utils.registry import ARCH_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY, Registry
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from daefr_arch.options.checks import did_you_mean
from daefr_arch.options.section import Holder, OptionError, Section
from daefr_arch.options.signature import is_closed, signature_section


class Typed(Section):
    """What names a registered class."""

    type: str
    """name of the class, as it is registered"""


class MetricOptions(Typed):
    """A metric of the validation."""

    better: Literal['higher', 'lower'] = 'higher'
    """which values are better; the first metric decides on net_<label>_best.pth"""


DEFINITION = 'definition'  # in a schema, where a Checked stands


class Checked(Holder):
    """A mapping that is checked by `check`, and stays a mapping."""

    def check(self, options: Any) -> None:
        """Raises OptionError, its place relative to the mapping."""
        raise NotImplementedError

    @property
    def definition(self) -> str:
        """Name in the schema's definitions of what the mapping may be."""
        raise NotImplementedError

    def _checked(self, options: Any) -> Any:
        self.check(options)
        return options

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {'type': 'object', DEFINITION: self.definition}


@dataclass(frozen=True, eq=False)
class Arguments(Checked):
    """The arguments of one class, but those that are `given` by the caller."""

    function: Callable
    given: tuple[str, ...] = ()

    @property
    def words(self) -> str:  # type: ignore[override]
        return f'a mapping: arguments of {self.function.__name__}'

    @property
    def definition(self) -> str:
        return f'{self.function.__name__}_arguments'

    @property
    def section(self) -> type[Section]:
        """Its keys are the arguments."""
        return signature_section(self.function, given=self.given)

    def check(self, options: Any) -> None:
        self.section.read(options)


@dataclass(frozen=True, eq=False)
class Registered(Checked):
    """A class of `registry` by its `type`, with the keys that it declares as its `Options` or has as arguments.

    Args:
        kind: what the classes are, for errors: 'loss'.
        registry: BasicSR's, or names with their sections.
        given: arguments that the caller adds.
        base: section of the keys that all have.
        takes_opt: whether the classes take the mapping as a whole: without `Options` their keys are not known then.
    """

    kind: str
    registry: Registry | Mapping[str, Any]
    given: tuple[str, ...] = ()
    base: type[Section] = Typed
    takes_opt: bool = False

    @property
    def words(self) -> str:  # type: ignore[override]
        return f'a mapping: type of {self.kind} and its keys'

    @property
    def definition(self) -> str:
        return self.kind

    def find(self, name: Any, key: str = 'type') -> Any:
        """The class of that name, which stands under `key`.

        Raises:
            OptionError: there is none.
        """
        for registered in (name, f'{name}_basicsr'):
            if registered in self.registry:
                return self.registry.get(registered)
        names = list(self.registry.keys())
        suggestion = did_you_mean(name, names, cutoff=0.5) or f'; there are {", ".join(sorted(names))}'
        raise OptionError((key,), f': no {self.kind} called {name!r}{suggestion}')

    def classes(self, *packages: str) -> list[tuple[str, Any]]:
        """Name and class of those registered that are of one of the packages, given as 'basicsr.'."""
        names = list(self.registry.keys())
        return [(name, item) for name in names if (item := self.registry.get(name)).__module__.startswith(packages)]

    def read(self, options: Any) -> Section:
        """The section of a mapping; unknown keys pass where a class leaves open which it takes.

        Raises:
            OptionError: its place is relative to the mapping.
        """
        if options is None:
            raise OptionError((), f' is missing: expected {self.words}')
        if not isinstance(options, Mapping):
            raise OptionError((), f': expected {self.words}, got {options!r}')
        if 'type' not in options:
            raise OptionError(('type',), f' is missing: expected the name of a registered {self.kind}')
        section, closed = self.section(self.find(options['type']))
        return section.read(options, closed=closed)

    def check(self, options: Any) -> None:
        self.read(options)

    def section(self, item: Any) -> tuple[type[Section], bool]:
        """The section of a class, and whether it is closed: whether no other keys are possible."""
        if isinstance(item, type) and issubclass(item, Section):
            return item, True
        if self.takes_opt:
            return declared(item, self.base)
        return signature_section(item, given=self.given, base=self.base), is_closed(item)


def declared(item: type, base: type[Section]) -> tuple[type[Section], bool]:
    """The `Options` of a class, and whether it has declared them itself: a subclass that has not may read more keys."""
    return getattr(item, 'Options', base), 'Options' in vars(item)


NETWORK = Registered('network', ARCH_REGISTRY)
Network = Annotated[dict[str, Any], NETWORK]
LOSS = Registered('loss', LOSS_REGISTRY)
Loss = Annotated[dict[str, Any], LOSS]
METRIC = Registered('metric', METRIC_REGISTRY, given=('img', 'img2'), base=MetricOptions)
Metric = Annotated[dict[str, Any], METRIC]
MODEL = Registered('model', MODEL_REGISTRY)
