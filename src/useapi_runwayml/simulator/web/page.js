// The state of the simulator, as server-sent events tell it.
import { $, element, words } from "./common.js";
const cards = new Map();

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function readable(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function keep(list, rows, make) {
  list.replaceChildren(...rows.map(make));
}

async function post(what, body, method = "POST") {
  const answer = await fetch(`/_simulator/${what}`, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const told = await answer.json();
  set($("trouble"), answer.ok ? "" : told.error);
  return answer.ok;
}

function video(player, url) {
  if (player.getAttribute("src") === url) return;
  if (url) player.src = url;
  else player.removeAttribute("src");
}

function card(task) {
  if (!cards.has(task.taskId)) {
    const made = $("card").content.firstElementChild.cloneNode(true);
    made.dataset.task = task.taskId;
    cards.set(task.taskId, made);
  }
  const made = cards.get(task.taskId);
  const find = (kind) => made.querySelector(`.${kind}`);
  set(find("status"), task.status);
  find("status").className = `status ${task.status}`;
  set(find("cost"), task.cost === null ? "price unknown" : `${task.cost} credits`);
  made.querySelector("progress").value = task.progress ?? 0;
  set(find("prompt"), task.prompt);
  set(find("id"), task.taskId);
  set(find("reference"), task.replyRef ? `replyRef ${task.replyRef}` : "");
  video(find("source"), task.source);
  video(find("result"), task.result);
  find("made").hidden = !task.result;
  return made;
}

function showTasks(tasks, all) {
  const wanted = tasks.map(card);
  const shown = [...$("tasks").children];
  if (wanted.length !== shown.length || wanted.some((each, place) => each !== shown[place])) {
    let before = null;
    for (const each of wanted.toReversed()) {
      // moved only where it has to be: a video that is moved begins anew
      if (each.nextElementSibling !== before || each.parentElement !== $("tasks")) $("tasks").insertBefore(each, before);
      before = each;
    }
    for (const each of shown) {
      if (!wanted.includes(each)) {
        each.remove();
        cards.delete(each.dataset.task);
      }
    }
  }
  $("no-tasks").hidden = tasks.length > 0;
  set($("count"), all > tasks.length ? `the newest ${tasks.length} of ${all}` : "");
}

function showRequests(requests) {
  keep($("requests"), requests, (seen) => {
    const row = element("tr");
    row.append(
      element("td", new Date(seen.at * 1000).toISOString().slice(11, 23), "number"),
      element("td", `${seen.method} ${readable(seen.path)}`, "path"),
      element("td", seen.operation || "—"),
      element("td", seen.status ? String(seen.status) : "—", seen.status >= 400 || !seen.status ? "bad" : "number"),
      element("td", seen.milliseconds.toFixed(1), "number"),
      element("td", seen.note.replaceAll("_", " "), "bad"),
    );
    return row;
  });
}

function show(state) {
  const now = new Date(state.now * 1000).toISOString();
  $("now").dateTime = now;
  set($("now"), now.slice(0, 19).replace("T", " "));
  set($("speed"), state.clock.paused ? "paused" : state.clock.speed === null ? "moved by hand" : `${state.clock.speed} × as fast`);
  $("pause").setAttribute("aria-pressed", String(state.clock.paused));
  set($("pause"), state.clock.paused ? "Go on" : "Pause");
  for (const each of [$("pause"), $("set-speed")]) each.disabled = state.clock.speed === null;
  const speed = $("clock").elements.speed;
  if (state.clock.speed !== null && speed.dataset.known !== String(state.clock.speed)) speed.value = speed.dataset.known = state.clock.speed;
  keep($("accounts"), state.accounts, (account) => {
    const item = element("li");
    item.append(
      element("strong", account.email),
      element("span", `${account.slots.busy} of ${account.slots.all} slots`),
      element("span", `${account.credits.spent} of ${account.credits.all} credits spent`, "soft"),
    );
    return item;
  });
  if (JSON.stringify(state.faults) !== $("faults").dataset.known) {
    $("faults").dataset.known = JSON.stringify(state.faults);
    keep($("faults"), state.faults, (fault, place) => {
      const item = element("li");
      const off = element("button", "Switch off");
      off.type = "button";
      off.setAttribute("aria-label", `Switch off ${fault.kind} at ${fault.operation}`);
      off.addEventListener("click", () => post(`faults/${place}`, undefined, "DELETE"));
      item.append(element("strong", fault.kind.replaceAll("_", " ")), element("span", `at ${fault.operation}`),
        element("span", `hit ${fault.hits} of ${fault.calls}`, "soft"), off);
      return item;
    });
  }
  showTasks(state.tasks, state.created);
  showRequests(state.requests);
}

function begin(kinds, operations) {
  const fault = $("fault").elements;
  fault.kind.replaceChildren(...Object.keys(kinds).map((each) => new Option(each.replaceAll("_", " "), each)));
  fault.operation.replaceChildren(...operations.map((each) => new Option(each === "*" ? "every operation" : each, each)));
  const explain = () => $("meaning").replaceChildren(...words(kinds[fault.kind.value]));
  fault.kind.addEventListener("change", explain);
  explain();
}

$("fault").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = event.target.elements;
  const body = { kind: given.kind.value, operation: given.operation.value };
  for (const name of ["probability", "seconds", "status", "times"]) {
    if (given[name].value !== "") body[name] = given[name].valueAsNumber;
  }
  post("faults", body);
});
$("clock").addEventListener("submit", (event) => {
  event.preventDefault();
  post("clock", { advance: event.target.elements.advance.valueAsNumber });
});
$("set-speed").addEventListener("click", () => post("clock", { speed: $("clock").elements.speed.valueAsNumber }));
$("pause").addEventListener("click", () => post("clock", { paused: $("pause").getAttribute("aria-pressed") !== "true" }));

const events = new EventSource("/_simulator/events");
events.addEventListener("begin", (event) => {
  const told = JSON.parse(event.data);
  begin(told.kinds, told.operations);
  set($("connection"), "live");
  $("connection").className = "good";
});
events.addEventListener("state", (event) => show(JSON.parse(event.data)));
events.addEventListener("error", () => {
  set($("connection"), "the simulator does not answer: it is asked again");
  $("connection").className = "bad";
});
