"""Cores of what can be asked of assets, the scheduler and the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .calls import call, delete, fetch
from .effects import Core, Options
from .paging import pages
from .surroundings import Context

if TYPE_CHECKING:
    from useapi_runwayml_api.models.asset import Asset
    from useapi_runwayml_api.models.features import Features
    from useapi_runwayml_api.models.scheduled_task import ScheduledTask

PAGE = 50


def listed(context: Context, media_type: str | None, email: str | None, options: Options) -> Core[None]:
    """Gives all assets that the service can list."""
    from useapi_runwayml_api.api.assets import list_assets

    return pages(
        context,
        lambda offset, limit: call(
            list_assets, options, offset=offset, limit=limit, email=email, media_type=media_type
        ),
        lambda asset: asset.asset_id,
        PAGE,
        PAGE,
    )


def retrieve(context: Context, asset_id: str, options: Options) -> Core[Asset]:
    """The asset, with its id if the answer left it out."""
    from attrs import evolve
    from useapi_runwayml_api.api.assets import get_asset

    asset: Asset = yield from fetch(context, call(get_asset, options, asset_id))
    return asset if asset.asset_id else evolve(asset, asset_id=asset_id)


def remove(context: Context, asset_id: str, options: Options) -> Core[None]:
    from useapi_runwayml_api.api.assets import delete_asset

    return delete(context, call(delete_asset, options, asset_id))


def tracked(context: Context, options: Options) -> Core[list[ScheduledTask]]:
    from useapi_runwayml_api.api.scheduler import list_scheduler

    return fetch(context, call(list_scheduler, options))


def release(context: Context, task_id: str, options: Options) -> Core[None]:
    from useapi_runwayml_api.api.scheduler import release_scheduled_task

    return delete(context, call(release_scheduled_task, options, task_id, task_id=task_id))


def features(context: Context, email: str | None, options: Options) -> Core[Features]:
    from useapi_runwayml_api.api.features import get_features

    return fetch(context, call(get_features, options, email=email))
