// The OpenAPI document as a page.
import { $, element } from "./common.js";
let api;

function follow(node) {
  while (node && node.$ref) node = node.$ref.slice(2).split("/").reduce((found, part) => found[part.replaceAll("~1", "/")], api);
  return node ?? {};
}

function typeOf(schema) {
  const found = follow(schema);
  const choices = found.anyOf ?? found.oneOf;
  if (choices) return choices.map(typeOf).join(" or ");
  if (found.enum) return found.enum.map((each) => JSON.stringify(each)).join(" | ");
  if ("const" in found) return JSON.stringify(found.const);
  const kind = [].concat(found.type ?? "any").join(" | ");
  return found.items ? `${kind} of ${typeOf(found.items)}` : kind;
}

function boundsOf(schema) {
  const found = follow(schema);
  const told = { minimum: "at least *", maximum: "at most *", minLength: "at least * characters", maxLength: "at most * characters", default: "* when absent" };
  const bounds = Object.entries(told).filter(([key]) => key in found).map(([key, words]) => words.replace("*", JSON.stringify(found[key])));
  return bounds.length ? `(${bounds.join(", ")})` : "";
}

function table(heads, rows) {
  const around = element("div", undefined, "scroll"), made = element("table"), head = element("tr");
  head.append(...heads.map((each) => Object.assign(element("th", each), { scope: "col" })));
  const body = element("tbody");
  for (const row of rows) {
    const line = element("tr");
    line.append(...row.map((each) => element("td", each)));
    body.append(line);
  }
  const top = element("thead");
  top.append(head);
  made.append(top, body);
  around.tabIndex = 0;
  around.append(made);
  return around;
}

function fieldsOf(schema) {
  const found = follow(schema);
  const required = new Set(found.required ?? []);
  return Object.entries(found.properties ?? {}).map(([name, each]) => [
    name, typeOf(each), required.has(name) ? "required" : "", [follow(each).description ?? each.description ?? "", boundsOf(each)].filter(Boolean).join(" "),
  ]);
}

function exampleOf(content) {
  const named = Object.values(content.examples ?? {}).map((each) => follow(each).value);
  return content.example ?? named[0];
}

function tryIt(method, path, parameters, body) {
  const form = element("form", undefined, "try"), inputs = [];
  form.append(element("h3", "Try it on the simulator"));
  for (const each of parameters) {
    const label = element("label", `${each.name}${each.required ? " (required)" : ""}`), input = element("input");
    input.name = each.name;
    input.required = Boolean(each.required) && each.in === "path";
    input.placeholder = String(each.example ?? "");
    label.append(input);
    form.append(label);
    inputs.push([each, input]);
  }
  let text, file;
  if (body?.content?.["application/json"]) {
    const label = element("label", "Body");
    text = element("textarea");
    text.value = JSON.stringify(exampleOf(body.content["application/json"]) ?? {}, null, 1);
    text.spellcheck = false;
    label.append(text);
    form.append(label);
  } else if (body) {
    const label = element("label", "File");
    file = element("input");
    file.type = "file";
    file.required = true;
    label.append(file);
    form.append(label);
  }
  const send = element("button", "Send"), status = element("p", "", "soft"), answer = element("pre");
  status.setAttribute("role", "status");
  answer.hidden = true;
  answer.tabIndex = 0;
  form.append(send, status, answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let where = path;
    const query = new URLSearchParams();
    for (const [each, input] of inputs) {
      if (each.in === "path") where = where.replace(`{${each.name}}`, encodeURIComponent(input.value).replaceAll("%3A", ":").replaceAll("%40", "@"));
      else if (each.in === "query" && input.value !== "") query.set(each.name, input.value);
    }
    const headers = { Authorization: `Bearer ${$("access").elements.token.value}` };
    let content;
    if (text) {
      headers["Content-Type"] = "application/json";
      content = text.value;
    } else if (file) {
      content = file.files[0];
      headers["Content-Type"] = content.type || "video/mp4";
    }
    const url = `${new URL(api.servers[0].url).pathname}${where}${query.size ? `?${query}` : ""}`;
    const begun = performance.now();
    try {
      const found = await fetch(url, { method: method.toUpperCase(), headers, body: content });
      const told = await found.text();
      status.textContent = `${found.status} ${found.statusText}, ${Math.round(performance.now() - begun)} ms`;
      status.className = found.ok ? "good" : "bad";
      try {
        answer.textContent = JSON.stringify(JSON.parse(told), null, 1);
      } catch {
        answer.textContent = told;
      }
    } catch (error) {
      status.textContent = `no answer: ${error.message}`;
      status.className = "bad";
    }
    answer.hidden = false;
  });
  return form;
}

function operation(method, path, data, shared) {
  const made = element("details", undefined, "operation"), summary = element("summary");
  made.id = data.operationId;
  summary.append(element("span", method.toUpperCase(), "method"), element("span", path, "path"), element("span", data.summary, "soft"));
  made.append(summary);
  for (const part of (data.description ?? "").split(/\n\s*\n/)) if (part.trim()) made.append(element("p", part.trim()));
  const parameters = [...shared, ...(data.parameters ?? [])].map(follow);
  if (parameters.length) {
    made.append(element("h3", "Parameters"), table(["Name", "Type", "", "Meaning"], parameters.map((each) => [
      each.name, typeOf(each.schema), each.required ? "required" : "", [each.description ?? "", boundsOf(each.schema)].filter(Boolean).join(" "),
    ])));
  }
  const body = data.requestBody ? follow(data.requestBody) : null;
  const json = body?.content?.["application/json"];
  if (body) made.append(element("h3", `Body: ${Object.keys(body.content).join(", ")}`));
  if (json) made.append(table(["Field", "Type", "", "Meaning"], fieldsOf(json.schema)));
  made.append(element("h3", "Answers"));
  for (const [status, each] of Object.entries(data.responses)) {
    const found = follow(each), inner = element("details");
    inner.append(element("summary", `${status}: ${(found.description ?? "").split("\n")[0]}`));
    for (const content of Object.values(found.content ?? {})) {
      const fields = fieldsOf(content.schema ?? {});
      if (fields.length) inner.append(table(["Field", "Type", "", "Meaning"], fields));
      const example = exampleOf(content);
      if (example !== undefined) inner.append(Object.assign(element("pre"), { textContent: typeof example === "string" ? example : JSON.stringify(example, null, 1) }));
    }
    made.append(inner);
  }
  made.append(tryIt(method, path, parameters, body));
  return made;
}

async function begin() {
  api = await (await fetch("/_simulator/document")).json();
  document.title = api.info.title;
  $("title").textContent = api.info.title;
  $("about").textContent = `Version ${api.info.version}, served by the simulator`;
  const byTag = new Map((api.tags ?? []).map((each) => [each.name, []]));
  for (const [path, entry] of Object.entries(api.paths)) {
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      const data = entry[method];
      if (!data) continue;
      const tag = data.tags?.[0] ?? "";
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(operation(method, path, data, entry.parameters ?? []));
    }
  }
  for (const [tag, found] of byTag) {
    if (!found.length) continue;
    const about = (api.tags ?? []).find((each) => each.name === tag)?.description;
    $("operations").append(element("h2", tag.replaceAll("_", " ")));
    if (about) $("operations").append(element("p", about, "soft"));
    $("operations").append(...found);
  }
  if (location.hash) $(location.hash.slice(1))?.setAttribute("open", "");
}

begin();
