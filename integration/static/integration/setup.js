// The guided set-up. Every page works without this file; it follows what workers do, fills the two panes, and tries mappings as they are typed.
"use strict";

// Parts that follow the workers: asked for once a second until they say that they are done.
function follow(part) {
  if (part.dataset.done === "1") return;
  let failures = 0;
  const ask = async () => {
    try {
      const answer = await fetch(part.dataset.follow, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const holder = document.createElement("template");
      holder.innerHTML = await answer.text();
      const fresh = holder.content.firstElementChild;
      failures = 0;
      const done = fresh.dataset.done === "1";
      if (done && fresh.dataset.reload === "1") {
        window.location.reload();
        return;
      }
      // A live region speaks whenever it is written to, so an unchanged text is left alone.
      if (part.innerHTML !== fresh.innerHTML) part.innerHTML = fresh.innerHTML;
      part.dataset.done = fresh.dataset.done;
      if (done) {
        part.dispatchEvent(new CustomEvent("followed", { bubbles: true }));
        return;
      }
    } catch {
      failures += 1;
      if (failures > 60) return;
    }
    setTimeout(ask, failures ? 5000 : 1000);
  };
  setTimeout(ask, 600);
}

// Rows that are added: the blank one of the page, numbered on.
function rows(button) {
  const name = button.dataset.add;
  const list = document.querySelector(`[data-rows="${name}"]`);
  const blank = document.querySelector(`[data-blank="${name}"]`);
  const total = document.querySelector(`[name="${name}-TOTAL_FORMS"]`);
  button.addEventListener("click", () => {
    const holder = document.createElement("template");
    holder.innerHTML = blank.innerHTML.replaceAll("__prefix__", total.value);
    total.value = String(Number(total.value) + 1);
    const row = holder.content.firstElementChild;
    list.append(row);
    if (row.matches(".mb-criterion")) criterion(row);
    row.querySelector("select, input:not([type=hidden]):not([type=checkbox])").focus();
    list.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// Widths, capitals, and the two kinds of kana are one.
function folded(text) {
  return text.normalize("NFKC").toLowerCase().replace(/[ぁ-ゖ]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0x60));
}

// Two panes: what is ticked on the left stands on the right, and can be taken away there.
function picker(form) {
  const all = form.querySelector("[data-pane=all]");
  const chosen = form.querySelector("[data-pane=chosen]");
  const search = form.querySelector("[data-search]");
  const every = form.querySelector("[name=every]");
  const most = Number(form.dataset.most);
  let before = [];
  const boxes = () => [...all.querySelectorAll("input[type=checkbox]")];

  function show() {
    const ticked = boxes().filter((box) => box.checked);
    form.querySelector("[data-chosen]").textContent = ticked.length;
    form.querySelector(".mb-meter progress").value = ticked.length;
    form.querySelector(".mb-meter").classList.toggle("mb-wrong", ticked.length > most);
    form.querySelector("[data-too-many]").hidden = ticked.length <= most;
    form.querySelector("[data-empty]").hidden = ticked.length > 0;
    form.querySelector("[data-none-chosen]").hidden = every.checked;
    form.querySelector("[data-all-chosen]").hidden = !every.checked;
    const counts = ticked.map((box) => box.closest("li").dataset.cards);
    const cards = form.querySelector("[data-cards-chosen]");
    const sum = counts.reduce((total, n) => total + Number(n), 0);
    cards.textContent = ticked.length && !counts.includes("") ? cards.dataset.text.replace("{n}", sum.toLocaleString(document.documentElement.lang)) : "";
    chosen.replaceChildren(...ticked.map(line));
  }

  function line(box) {
    const row = box.closest("li").cloneNode(true);
    const label = row.querySelector("label");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "mb-take";
    button.append(...[...label.childNodes].filter((node) => node.nodeName !== "INPUT"));
    const mark = document.createElement("span");
    mark.className = "material-symbols-outlined";
    mark.setAttribute("aria-hidden", "true");
    mark.textContent = "close";
    button.append(mark);
    button.addEventListener("click", () => {
      box.checked = false;
      show();
      box.focus();
    });
    row.replaceChildren(button);
    return row;
  }

  // The cards have been counted: the tags as they are now, with the ticks as they are here. Loading the page again would lose these.
  form.addEventListener("followed", async () => {
    const answer = await fetch(window.location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const ticked = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
    const focused = all.contains(document.activeElement) ? document.activeElement.value : null;
    all.replaceChildren(...fresh.querySelector("[data-pane=all]").children);
    form.querySelector("[data-tags]").textContent = fresh.querySelector("[data-tags]").textContent;
    boxes().forEach((box) => (box.checked = ticked.has(box.value) && !box.disabled));
    boxes().find((box) => box.value === focused)?.focus();
    search.dispatchEvent(new Event("input"));
    show();
  });
  form.addEventListener("change", (event) => {
    document.querySelector(".mb-setup > [role=alert]")?.remove();  // what it says may be mended now
    if (event.target === every && every.checked) {
      before = boxes().filter((box) => box.checked).map((box) => box.value);
      boxes().forEach((box) => (box.checked = false));
    }
    // Unticked again: what had been chosen comes back.
    if (event.target === every && !every.checked) boxes().forEach((box) => (box.checked = before.includes(box.value)));
    if (event.target.name === "tag" && event.target.checked) every.checked = false;
    show();
  });
  search.addEventListener("input", () => {
    const wanted = folded(search.value.trim());
    let found = 0;
    for (const row of all.children) {
      const fits = !wanted || folded(row.dataset.name || "").includes(wanted);
      row.hidden = !fits;
      found += fits ? 1 : 0;
    }
    form.querySelector("[data-none]").hidden = found > 0;
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  show();
}

// A text that stands there only while there is something to say.
function told(part, text) {
  part.textContent = text;
  part.hidden = !text;
}

// A criterion: what asks for no value shows none, and a date is picked. Only a date is compared with one.
function criterion(row) {
  const field = row.querySelector("[name$=-field]");
  const op = row.querySelector("[name$=-op]");
  const value = row.querySelector("[name$=-value]");
  const dated = (option) => option.value.startsWith("on_or_");

  function show() {
    const date = field.tagName !== "SELECT" || field.value === "exchangeDate";
    for (const option of op.options) option.hidden = dated(option) && !date && !option.selected;
    value.type = dated(op.selectedOptions[0]) ? "date" : "text";
    value.closest(".mb-field").classList.toggle("mb-unneeded", ["blank", "not_blank"].includes(op.value));
  }

  row.addEventListener("change", show);
  show();
}

// The warning beside a tag with which cards do not come back: it goes by the group that the tag stands in.
function outside(warning) {
  const marker = document.querySelector("[name=marker]");
  marker.addEventListener("change", () => {
    warning.hidden = marker.selectedOptions[0].parentElement.label === warning.dataset.outside;
  });
}

// Mappings: asks the server what the sampled card becomes, a moment after the last key.
function tryMappings(form) {
  let timer = 0;
  let asked = 0;
  const waiting = form.querySelector("[data-waiting]");

  async function ask() {
    const mine = ++asked;
    const answer = await fetch(form.dataset.try, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer || !answer.ok || mine !== asked) return;
    const tried = await answer.json();
    waiting.hidden = !tried.waiting;
    const name = form.querySelector("[data-sample-name]");
    if (name) told(name, tried.sample);
    told(form.querySelector("[data-refused]"), tried.refused);
    for (const [prefix, result] of Object.entries(tried.rows)) {
      const row = form.querySelector(`[data-row="${CSS.escape(prefix)}"]`);
      if (!row) continue;
      row.querySelector("[data-value]").textContent = result.value || "–";
      row.querySelector("[data-kind]").textContent = result.kind;
      const note = tried.notes[prefix];
      told(row.querySelector("[data-hint]"), note.hint);
      const cards = row.querySelector("[data-cards]");
      cards.textContent = note.cards;
      cards.parentElement.hidden = !note.cards;
      cards.parentElement.classList.toggle("mb-locked", note.locked);
      told(row.querySelector("[data-problem]"), result.problem);
      row.classList.toggle("mb-wrong", Boolean(result.problem));
    }
    if (tried.waiting) timer = setTimeout(ask, 1000);
  }

  function soon(event) {
    if (event.target.matches("select[name$=-source]")) {
      event.target.closest("[data-row]").querySelector("[data-expression]").hidden = event.target.value !== "=";
    }
    clearTimeout(timer);
    timer = setTimeout(ask, 300);
  }

  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  if (!waiting.hidden) timer = setTimeout(ask, 1000);
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-follow]").forEach(follow);
  document.querySelectorAll("[data-add]").forEach(rows);
  document.querySelectorAll("form[data-picker]").forEach(picker);
  document.querySelectorAll("form[data-try]").forEach(tryMappings);
  document.querySelectorAll("[data-outside]").forEach(outside);
  document.querySelectorAll(".mb-rows > .mb-criterion").forEach(criterion);
  // What is wrong may be far below: whoever comes back to the page stands at it.
  const control = ":is(input, select, textarea):not([type=hidden])";
  (document.querySelector(`.mb-setup .mb-field.mb-wrong ${control}`) ?? document.querySelector(`.mb-setup .mb-wrong ${control}`))?.focus();
});
