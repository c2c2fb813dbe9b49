"""What each operation does to the state, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import shapes
from .creations import Model
from .faults import CREATE_KINDS
from .media import is_of_type
from .plan import make_plan, outcome_of
from .state import KEPT_SECONDS, Account, Asset, Task
from .wire import Answer, Request, error_answer, full, json_answer
from .world import World

DONE = {"success": True}
Handler = Callable[[World, Request, Mapping[str, Any], Any, float], Answer]


def create(model: Model, sim: World, request: Request, body: Any, now: float) -> Answer:
    """Any operation that starts paid tasks."""
    asset = _asset(sim, body[model.source], "video")
    if isinstance(asset, Answer):
        return asset
    if missing := [name for name in model.needs if not asset.measures.get(name)]:
        return error_answer(400, f"Asset {asset.asset_id} has no {', '.join(missing)} in its metadata")
    if model.image in body and isinstance(image := _asset(sim, body[model.image], "image"), Answer):
        return image
    account = sim.state.accounts[asset.email]
    most = model.slots(body) or account.max_jobs
    running = sim.state.tracked(account.email, now)
    if len(running) >= most:
        return account_busy(sim, account, most, now)
    outcome = outcome_of(body[model.prompt])
    if outcome == "refused":
        return error_answer(422, "The prompt was refused by moderation.")
    cost = model.cost(body)
    if account.spent + (cost or 0) > account.credits:
        return error_answer(412, "You do not have enough credits to run this task.", code=False)
    account.spent += cost or 0
    task = new_task(model, sim, asset, dict(body), outcome, cost, now)
    sim.state.paid.append((task.request.get("replyRef"), cost or 0))
    view = sim.task_view(task, request.origin, now)
    if sim.shapes.create == "wrapped":
        return json_answer(200, {"task": view, "code": 200})
    return json_answer(200, {**view, "code": 200})


def _asset(sim: World, asset_id: str, kind: str) -> Asset | Answer:
    """An asset of this kind."""
    asset = sim.state.assets.get(asset_id)
    if asset is None:
        return error_answer(404, f"Unable to retrieve assetId {asset_id.rpartition(':')[2]} (Not found.)")
    return asset if asset.media_type.startswith(f"{kind}/") else error_answer(400, f"Asset {asset_id} is no {kind}")


def new_task(
    model: Model, sim: World, asset: Asset, body: dict[str, Any], outcome: str, cost: float | None, now: float
) -> Task:
    chance = sim.state.chance
    task_id = sim.state.new_id(asset.email, "task")
    plan = make_plan(chance, outcome, sim.task_seconds)
    seed = body.get("seed", chance.randint(1, 4_294_967_294))
    task = Task(task_id, asset.email, now, plan, body, seed, asset.asset_id, cost, model.operation)
    for fault in sim.faults.hits(model.operation, CREATE_KINDS):
        if fault.kind == "hide_in_list":
            task.in_list = False
        else:
            task.in_scheduler_from = now + fault.seconds
    sim.state.add_task(task, now)
    return task


def add_web_tasks(sim: World, now: float) -> None:
    """The tasks that people started in Runway's web application: the older half has ended by the first request."""
    if sim.state.has_web_tasks:
        return
    sim.state.has_web_tasks = True
    model = next(iter(sim.models.values()))
    for email in sim.state.accounts:
        for number in range(sim.web_tasks):
            begun = now - 60 * (sim.web_tasks - 1 - number) - 5
            plan = make_plan(sim.state.chance, "", sim.task_seconds)
            task_id, seed = sim.state.new_id(email, "task"), sim.state.chance.randint(1, 4_294_967_294)
            task = Task(task_id, email, begun, plan, {}, seed, "", 0, model.operation, released=True)
            sim.state.keep(task)


def account_busy(sim: World, account: Account, most: int, now: float) -> Answer:
    """The 429 of this API's own queue."""
    running = [
        {"email": account.email, "taskId": task.task_id, "id": task.uuid, **_references(task)}
        for task in sim.state.tracked(account.email, now)
    ]
    text = f"Account {account.email} is busy executing {most} tasks"
    return json_answer(429, {"error": text, "runningTasks": {account.email: running}, "code": 429})


def _references(task: Task) -> dict[str, Any]:
    return {key: task.request[key] for key in ("replyUrl", "replyRef") if key in task.request}


def _task(sim: World, task_id: str, now: float) -> Task | Answer:
    task = sim.state.tasks.get(task_id)
    if task is None:
        return error_answer(404, f"Unable to retrieve taskId {task_id.rpartition(':')[2]} (Not found.)")
    return error_answer(410, "Task is no longer available") if now - task.created >= KEPT_SECONDS else task


def get_task(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    task = _task(sim, parameters["taskId"], now)
    return task if isinstance(task, Answer) else json_answer(200, sim.task_view(task, request.origin, now))


def delete_task(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    task = _task(sim, parameters["taskId"], now)
    if isinstance(task, Answer):
        return task
    sim.state.drop(task)
    return json_answer(200, DONE)


def _account(sim: World, email: str | None, *, needed: bool) -> Account | Answer:
    accounts = sim.state.accounts
    if email is not None:
        found = accounts.get(email)
        return found if found is not None else error_answer(404, f"Account {email} is not configured")
    if needed and len(accounts) > 1:
        return error_answer(400, "Parameter email is required when several accounts are configured")
    return next(iter(accounts.values()))


def list_tasks(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    account = _account(sim, parameters.get("email"), needed=True)
    if isinstance(account, Answer):
        return account
    statuses = parameters.get("statuses")
    found = [
        task for task in sim.state.newest_first(account.email, now) if not statuses or task.status(now) in statuses
    ]
    if sim.shapes.order == "oldest":
        found.reverse()
    offset, limit = parameters["offset"], parameters["limit"]
    views = [sim.task_view(task, request.origin, now) for task in found[offset : offset + limit]]
    if not sim.shapes.list_shows_reply_ref:
        views = [{key: value for key, value in view.items() if key != "replyRef"} for view in views]
    return json_answer(200, {"tasks": views} if sim.shapes.tasks == "wrapped" else views)


def list_scheduler(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    tracked = [task for email in sim.state.accounts for task in sim.state.tracked(email, now)]
    shown = [task for task in tracked if now >= task.in_scheduler_from]
    return json_answer(200, [{"taskId": task.task_id, **_references(task)} for task in shown])


def release(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    task = sim.state.tasks.get(parameters["taskId"])
    if task is None or not task.is_tracked(now):
        return error_answer(404, "Task is not in the scheduler")
    task.released = True
    return json_answer(200, DONE)


def list_assets(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    account = _account(sim, parameters.get("email"), needed=False)
    if isinstance(account, Answer):
        return account
    kind = parameters.get("mediaType")
    found = [
        asset
        for asset in reversed(sim.state.assets.values())
        if asset.email == account.email and (kind is None or asset.media_type.startswith(f"{kind}/"))
    ]
    offset, limit = parameters["offset"], parameters["limit"]
    page = found[offset : offset + limit]
    return json_answer(200, [shapes.asset_view(asset, sim.shapes, sim.links, request.origin, now) for asset in page])


def upload_asset(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    account = _account(sim, parameters.get("email"), needed=False)
    if isinstance(account, Answer):
        return account
    media_type: str = body
    if request.body.size == 0:
        return error_answer(400, "The body is empty")
    if sim.strict and not is_of_type(request.body.read(0, 16), media_type):
        return error_answer(400, f"The body is no {media_type}")
    if request.body.size > sim.room():
        return full()
    measures = {key: parameters[key] for key in ("duration", "width", "height") if key in parameters}
    asset_id = sim.state.new_id(account.email, "asset")
    asset = Asset(asset_id, account.email, parameters["name"], media_type, now, request.body, measures)
    sim.state.assets[asset_id] = asset
    sim.state.blobs[asset_id] = (asset.blob, media_type)
    return json_answer(200, shapes.upload_view(asset, sim.links, request.origin, now))


def get_asset(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    asset = sim.state.assets.get(parameters["assetId"])
    if asset is None:
        return error_answer(404, f"Unable to retrieve assetId {parameters['assetId'].rpartition(':')[2]} (Not found.)")
    return json_answer(200, shapes.asset_view(asset, sim.shapes, sim.links, request.origin, now))


def delete_asset(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    """The asset goes; results made from it can still be fetched while their task is there."""
    if sim.state.assets.pop(parameters["assetId"], None) is None:
        return error_answer(404, f"Unable to retrieve assetId {parameters['assetId'].rpartition(':')[2]} (Not found.)")
    sim.state.free(parameters["assetId"])
    return json_answer(200, DONE)


def features(sim: World, request: Request, parameters: Mapping[str, Any], body: Any, now: float) -> Answer:
    account = _account(sim, parameters.get("email"), needed=False)
    if isinstance(account, Answer):
        return account
    permitted = {"storageGB": 500, "numPlanCredits": account.credits}
    return json_answer(200, {"permitted": permitted, "used": {"numPlanCredits": account.spent}})


def handler(sim: World, operation_id: str) -> Handler:
    """What does an operation of the document."""
    model = sim.models.get(operation_id)
    if model is None:
        return HANDLERS[operation_id]
    return lambda sim, request, parameters, body, now: create(model, sim, request, body, now)


HANDLERS: dict[str, Handler] = {
    "getTask": get_task,
    "deleteTask": delete_task,
    "listTasks": list_tasks,
    "listScheduler": list_scheduler,
    "releaseScheduledTask": release,
    "listAssets": list_assets,
    "uploadAsset": upload_asset,
    "getAsset": get_asset,
    "deleteAsset": delete_asset,
    "getFeatures": features,
}
