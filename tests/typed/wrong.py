"""Mistakes as users make them: type checkers find each, but for those whose line names one that does not."""

import useapi_runwayml.callbacks
import useapi_runwayml.simulator
from useapi_runwayml import ContentModerated, RunwayClient, Task, TaskStatus

runway = RunwayClient("t")
runway.video_to_video.create(asset_id="a", text_prompt="x", aspect_ratio="square")  # wrong
runway.video_to_video.create(asset_id="a", text_prompt="x", seconds=7)  # wrong
runway.video_to_video.create(asset_id="a", text_prompt="x", seed="7")  # wrong
runway.video_to_video.run("clip.mp4", "x", destination="out.mp4", sed=7)  # wrong, not for ty
runway.assets.list(media_type="text")  # wrong
runway.tasks.wait(7)  # wrong
print(runway.tasks.nothing)  # wrong
print(ContentModerated().nothing)  # wrong
print(useapi_runwayml.RunwayCleint)  # wrong
print(useapi_runwayml.callbacks.CallbackAp)  # wrong
print(useapi_runwayml.simulator.Simulater)  # wrong
print(useapi_runwayml.errors.UseApiError)  # wrong
print(Task().status == TaskStatus.SUCEEDED)  # wrong
