"use strict";
(() => {
  document.documentElement.classList.add("live");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const make = (tag, text, attributes = {}) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(text);
    return element;
  };

  // A slider over the rows of a strip, which are all there without it.
  for (const strip of document.querySelectorAll("[data-slider]")) {
    const rows = [...strip.querySelectorAll(".row[data-value]")];
    const input = make("input", "", { type: "range", min: 0, max: rows.length - 1, step: 1, value: 0 });
    input.setAttribute("aria-label", strip.dataset.slider);
    const marks = rows.map((row, n) => make("button", row.dataset.value, { type: "button", onclick: () => show(n) }));
    const show = (n) => {
      input.value = n;
      input.setAttribute("aria-valuetext", rows[n].dataset.value);
      rows.forEach((row, k) => row.classList.toggle("now", k === n));
      marks.forEach((mark, k) => mark.setAttribute("aria-pressed", k === n));
    };
    input.addEventListener("input", () => show(Number(input.value)));
    const slide = make("div", "", { className: "slide" });
    const labels = make("div", "");
    labels.append(...marks);
    slide.append(input, labels);
    strip.prepend(slide);
    show(0);
  }

  // A flow is told step by step, begins when it is first seen, and stops when it is not.
  for (const flow of document.querySelectorAll("[data-flow]")) {
    const parts = flow.querySelectorAll("[data-step]");
    const steps = flow.querySelectorAll(".steps li");
    let step = 0, timer = null;
    const show = (n) => {
      step = (n + steps.length) % steps.length;
      flow.classList.add("told");
      for (const part of parts) part.classList.toggle("on", part.dataset.step.split(" ").includes(String(step + 1)));
    };
    const pause = () => {
      clearInterval(timer);
      timer = null;
      flow.classList.add("paused");
      toggle.textContent = "Play";
    };
    const play = () => {
      pause();
      flow.classList.remove("paused");
      toggle.textContent = "Pause";
      if (!flow.classList.contains("told")) show(0);
      timer = setInterval(() => show(step + 1), 3800);
    };
    let wanted = !still.matches;
    const toggle = make("button", "Play", { type: "button", onclick: () => { wanted = !timer; wanted ? play() : pause(); } });
    const go = (n) => { wanted = false; pause(); show(n); };
    const player = make("div", "", { className: "player" });
    player.append(make("button", "Back", { type: "button", onclick: () => go(step - 1) }), toggle, make("button", "Next", { type: "button", onclick: () => go(flow.classList.contains("told") ? step + 1 : 0) }),
      make("button", "All", { type: "button", onclick: () => { wanted = false; pause(); flow.classList.remove("told"); } }));
    flow.append(player);
    steps.forEach((line, n) => line.addEventListener("click", () => go(n)));
    new IntersectionObserver(([seen]) => { if (!wanted) return; seen.isIntersecting ? play() : pause(); }, { threshold: 0.35 }).observe(flow);
  }

  // Where the reader is.
  const links = new Map([...document.querySelectorAll("nav a:not(.home)")].map((link) => [link.hash.slice(1), link]));
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) { links.get(target.id).removeAttribute("aria-current"); continue; }
      const link = links.get(target.id);
      link.setAttribute("aria-current", "true");
      link.parentElement.scrollTo({ left: link.offsetLeft - 80, behavior: still.matches ? "auto" : "smooth" });
    }
  }, { rootMargin: "-45% 0px -54% 0px" });
  for (const id of links.keys()) watch.observe(document.getElementById(id));

  // A table that sorts by its numbers.
  for (const table of document.querySelectorAll(".sorted")) {
    const body = table.tBodies[0];
    table.querySelectorAll("thead th").forEach((head, column) => {
      if (!("number" in head.dataset)) return;
      const sort = () => {
        const falling = head.getAttribute("aria-sort") !== "descending";
        for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const value = (row) => Number(row.cells[column].dataset.sort) * (falling ? -1 : 1);
        body.append(...[...body.rows].sort((a, b) => value(a) - value(b)));
      };
      head.replaceChildren(make("button", head.textContent, { type: "button", onclick: sort }));
    });
  }
})();
