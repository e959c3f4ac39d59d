// The run page while its run goes on: asks once a second, fills in the texts, and stops when the run has ended.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const panel = document.querySelector("[data-progress-url]");
  if (!panel || panel.dataset.open !== "1") return;
  const find = (name) => panel.querySelector(`[data-part="${name}"]`);
  let failures = 0;

  function show(run) {
    for (const [name, text] of Object.entries(run.texts)) {
      for (const place of panel.querySelectorAll(`[data-text="${name}"]`)) {
        // A live region speaks whenever it is written to, so an unchanged text is left alone.
        if (place.textContent !== text) place.textContent = text;
      }
    }
    for (const tile of panel.querySelectorAll("[data-tile]")) {
      tile.classList.toggle("mb-zero", run.zero.includes(tile.dataset.tile));
    }
    const badge = find("state");
    badge.textContent = run.state;
    badge.className = `mb-badge mb-${run.tone}`;
    const bar = find("bar");
    bar.max = Math.max(run.read, 1);
    bar.value = run.settled;
    const problem = find("problem");
    problem.hidden = !run.problem.sentence;
    problem.className = `mb-alert mb-${run.open ? "info" : "warn"}`;
    find("problem-sentence").textContent = run.problem.sentence;
    find("problem-detail").textContent = run.problem.detail;
    find("reasons").replaceChildren(...run.reasons.map(row));
    find("no-reasons").hidden = run.reasons.length > 0;
  }

  function row(reason) {
    const line = find("reason-row").content.firstElementChild.cloneNode(true);
    const link = line.querySelector("a");
    link.href = reason.url;
    link.textContent = reason.n;
    line.querySelector("[data-sentence]").textContent = reason.sentence;
    line.querySelector("code").textContent = reason.code;
    return line;
  }

  async function ask() {
    try {
      const answer = await fetch(panel.dataset.progressUrl, { headers: { Accept: "application/json" } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const run = await answer.json();
      failures = 0;
      show(run);
      find("lost").hidden = true;
      if (!run.open) return;
    } catch {
      // Signed out, restarted, or off-line: asks on more slowly, says so, and gives up in the end.
      failures += 1;
      find("lost").hidden = failures < 3;
      if (failures > 30) return;
    }
    setTimeout(ask, failures ? 5000 : 1000);
  }

  setTimeout(ask, 1000);
});
