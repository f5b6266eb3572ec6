"""Metrics from their names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from daefr_arch.checkpoints import MissingWeightsError
from daefr_arch.errors import UsageError
from daefr_arch.evaluation.report import MetricSummary
from daefr_arch.metrics.fid_metric import FFHQ, FID
from daefr_arch.metrics.ida_metric import IDA
from daefr_arch.metrics.lmd_metric import LMD
from daefr_arch.metrics.lpips_metric import LPIPS
from daefr_arch.metrics.metric import Metric
from daefr_arch.metrics.niqe_metric import NIQE
from daefr_arch.metrics.psnr_metric import PSNR
from daefr_arch.metrics.ssim_metric import SSIM

WITH_GROUND_TRUTH = ('fid', 'lpips', 'niqe', 'ida', 'lmd', 'psnr', 'ssim')  # the columns of Table 1(b)
WITHOUT_GROUND_TRUTH = ('fid', 'niqe')  # of Table 1(a)


@dataclass(frozen=True)
class MetricSettings:
    """What the metrics need to know; see their classes."""

    device: str = 'cpu'
    lpips_net: str = 'vgg'
    fid_reference: str = FFHQ
    identity_backend: str = 'arcface'
    identity_unit: str = 'radians'
    landmark_backend: str = 'awing'


BUILDERS: dict[str, tuple[type[Metric], Callable[[MetricSettings], Metric]]] = {
    'fid': (FID, lambda s: FID(s.fid_reference, device=s.device)),
    'lpips': (LPIPS, lambda s: LPIPS(s.lpips_net, device=s.device)),
    'niqe': (NIQE, lambda s: NIQE()),
    'ida': (IDA, lambda s: IDA(s.identity_backend, unit=s.identity_unit, device=s.device)),
    'lmd': (LMD, lambda s: LMD(s.landmark_backend, device=s.device)),
    'psnr': (PSNR, lambda s: PSNR()),
    'ssim': (SSIM, lambda s: SSIM()),
}


def build_metrics(
    names: Sequence[str], settings: MetricSettings | None = None, *, skip_missing: bool = False
) -> tuple[list[Metric], list[MetricSummary]]:
    """The metrics called `names`, and with `skip_missing` the summaries of those whose weights are not at hand.

    Raises:
        UsageError: an unknown name.
        MissingWeightsError: weights are not at hand, without `skip_missing`; the message names the metric and the file.

    Example:
        >>> metrics, missing = build_metrics(['psnr', 'ssim'])
        >>> [metric.name for metric in metrics], missing
        (['psnr', 'ssim'], [])
    """
    unknown = [name for name in names if name not in BUILDERS]
    if unknown:
        raise UsageError(f'unknown metrics {", ".join(unknown)}: expected some of {", ".join(BUILDERS)}')
    settings = settings or MetricSettings()
    metrics, missing = [], []
    for name in names:
        kind, build = BUILDERS[name]
        try:
            metrics.append(build(settings))
        except MissingWeightsError as error:
            if not skip_missing:
                raise MissingWeightsError(f'{name}: {error}; or leave it out with --skip_missing') from error
            missing.append(
                MetricSummary(name, kind.title, protocol='', lower_is_better=kind.lower_is_better, missing=str(error))
            )
    return metrics, missing
