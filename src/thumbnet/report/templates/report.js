"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  const data = (id) => JSON.parse(document.getElementById(id).textContent);
  const percent = (share) => { // As the page says it: 0 or 100% only where it is just that.
    const said = (100 * share).toFixed(1);
    if (said === "0.0" && share > 0) return "below 0.1%";
    return said === "100.0" && share < 1 ? "above 99.9%" : `${said}%`;
  };

  // Theme: automatic, light or dark; kept where the browser lets a file keep anything.
  const themes = ["automatic", "light", "dark"];
  const theme = document.getElementById("theme");
  const setTheme = (name) => {
    if (name === "automatic") delete root.dataset.theme;
    else root.dataset.theme = name;
    theme.textContent = `Theme: ${name}`;
  };
  const kept = () => { try { return localStorage.getItem("thumbnet-theme"); } catch { return null; } };
  const keep = (name) => { try { localStorage.setItem("thumbnet-theme", name); } catch { /* A file may not keep it. */ } };
  setTheme(themes.includes(kept()) ? kept() : "automatic");
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "automatic") + 1) % themes.length];
    setTheme(next);
    keep(next);
  });

  // On a phone the table of contents begins folded.
  if (matchMedia("(max-width: 56rem)").matches) document.querySelector(".contents details").open = false;

  // Tooltips.
  const tip = document.getElementById("tip");
  let again = null; // Places the tip anew after scrolling, where it belongs to what has the focus.
  const showTip = (text, x, y, onScroll = null) => {
    again = onScroll;
    tip.setAttribute("aria-live", onScroll ? "off" : "polite"); // What keys read is said as the figure's own value.
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 4))}px`;
    tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
  };
  const hideTip = () => { tip.hidden = true; again = null; };
  const pointTip = (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (target) showTip(target.dataset.tip, event.clientX, event.clientY);
    else if (!again && !(event.target instanceof Element && event.target.closest(".lines"))) hideTip();
  };
  document.addEventListener("pointermove", pointTip);
  document.addEventListener("pointerdown", pointTip); // A finger does not move before it taps.
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  document.addEventListener("scroll", () => (again ? again() : hideTip()), { passive: true });

  // Curves: the values of all of them at one place. The figure becomes a slider: screen readers pass no keys to an image.
  const short = (value, share) => (share ? percent(value) : String(Number(value.toPrecision(4))));
  for (const chart of all("svg.lines")) {
    const scale = JSON.parse(chart.dataset.chart);
    const curves = all("polyline:not(.faint)", chart).map((line) => ({
      label: line.dataset.label,
      points: line.dataset.points.split(" ").map((pair) => pair.split(",").map(Number)),
    }));
    const cursor = chart.querySelector(".cursor");
    const [low, high, start, end] = scale.x;
    const across = (x) => start + ((x - low) / (high - low)) * (end - start);
    const places = [...new Set(curves.flatMap((curve) => curve.points.map(([x]) => x)))].sort((a, b) => a - b);
    let at = places.length - 1;
    const nearest = (points, x) => points.reduce((best, one) => (Math.abs(one[0] - x) < Math.abs(best[0] - x) ? one : best));
    const near = (high - low) / 200;
    const read = (x) => {
      const lines = [`epoch ${short(x, false)}`];
      for (const curve of curves) {
        // A value is that of one of the curve's own points; where that lies elsewhere, its place is told too.
        const [there, y] = nearest(curve.points, x);
        const apart = Math.abs(there - x);
        const where = apart === 0 ? "" : ` (epoch ${short(there, false)})`;
        if (apart <= near || curves.length === 1) lines.push(`${curve.label}: ${short(y, scale.percent)}${where}`);
      }
      return lines.join("\n");
    };
    const tell = () => {
      const text = read(places[at]);
      chart.setAttribute("aria-valuenow", places[at]);
      chart.setAttribute("aria-valuetext", text.replaceAll("\n", "; "));
      return text;
    };
    const mark = () => {
      const place = across(places[at]);
      cursor.innerHTML = `<line x1="${place}" x2="${place}" y1="${scale.y[0]}" y2="${scale.y[1]}"/>`;
      return tell();
    };
    const slider = { role: "slider", tabindex: 0, "aria-orientation": "horizontal", "aria-valuemin": places[0], "aria-valuemax": places[at] };
    for (const [name, set] of Object.entries(slider)) chart.setAttribute(name, set);
    tell();
    const follow = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
      const [x] = nearest(places.map((place) => [place]), low + ((point.x - start) / (end - start)) * (high - low));
      at = places.indexOf(x);
      showTip(mark(), event.clientX, event.clientY);
    };
    chart.addEventListener("pointermove", follow);
    chart.addEventListener("pointerdown", follow);
    chart.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "touch") return; // A finger has gone: what it tapped stays told.
      cursor.textContent = "";
      if (!again) hideTip(); // Else the keyboard reads another place.
    });
    chart.addEventListener("blur", () => { cursor.textContent = ""; hideTip(); });
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -places.length, End: places.length }[event.key];
      if (!step) return;
      event.preventDefault();
      at = Math.max(0, Math.min(places.length - 1, at + step));
      const text = mark();
      const show = () => {
        const box = chart.getBoundingClientRect();
        const x = box.left + (across(places[at]) / chart.viewBox.baseVal.width) * box.width;
        showTip(text, x, box.top + box.height / 3, show);
      };
      show();
    });
  }

  // Tables: sorted by a click on a heading.
  const value = (cell) => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(number) ? text : number;
  };
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") === "descending" || (column === 0 && !head.hasAttribute("aria-sort"));
        all("thead th", table).forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = all("tbody tr", table).map((row) => [value(row.cells[column]), row]);
        const kind = (one) => (typeof one === "number" ? 1 : 0);
        rows.sort(([a], [b]) => kind(a) - kind(b) || (typeof a === "number" ? a - b : a.localeCompare(b)));
        if (!up) rows.reverse();
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  // One class in detail.
  for (const box of all(".one-class")) {
    const { names, classes } = data(box.dataset.json);
    const pick = box.querySelector("select");
    const show = () => {
      const one = classes[pick.value];
      box.querySelector(".summary").textContent = one.text;
      const most = one.wrong.length ? one.wrong[0][1] : 1;
      box.querySelector(".bars").replaceChildren(...one.wrong.map(([to, count]) => {
        const item = document.createElement("li");
        const name = document.createElement("span");
        name.className = "name";
        name.textContent = names[to];
        const track = document.createElement("span");
        track.className = "track";
        const bar = document.createElement("i");
        bar.style.width = `${(75 * count) / most}%`;
        track.append(bar, String(count));
        item.append(name, track);
        return item;
      }));
    };
    pick.addEventListener("change", show);
    show();
  }

  // Gallery: filtered by class.
  for (const gallery of all(".gallery")) {
    const form = gallery.querySelector("form");
    const items = all(".items > li", gallery);
    const apply = () => {
      const [is, named] = [form.elements.true.value, form.elements.predicted.value];
      for (const item of items) {
        const fits = (!is || item.dataset.true === is) && (!named || item.dataset.predicted === named);
        item.classList.toggle("away", !fits);
        item.classList.toggle("found", fits && Boolean(is || named));
      }
      const shown = items.filter((item) => getComputedStyle(item).display !== "none").length;
      form.querySelector("output").textContent = `${shown} image${shown === 1 ? "" : "s"} shown`;
    };
    form.addEventListener("change", apply);
    form.addEventListener("reset", () => setTimeout(apply));
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }

  // Heat map: zoom, pan by scrolling, and the cell under the pointer or the cursor in words.
  for (const heat of all(".heat")) {
    const { names, totals, cells } = data(heat.dataset.json);
    const count = names.length;
    const counts = new Map(cells.map(([row, column, images]) => [row * count + column, images]));
    const view = heat.querySelector(".heat-view");
    const sheet = heat.querySelector(".heat-sheet");
    const cursor = heat.querySelector(".heat-cursor");
    const output = heat.querySelector("output");
    let [row, column, zoom] = [0, 0, 1];
    // Screen readers pass the keys on to an application alone.
    const application = { role: "application", "aria-roledescription": "matrix", "aria-describedby": output.id };
    for (const [name, set] of Object.entries(application)) view.setAttribute(name, set);
    const fitted = () => Math.min(view.clientWidth, 704);
    const place = () => {
      const side = sheet.clientWidth / count;
      Object.assign(cursor.style, { left: `${column * side}px`, top: `${row * side}px`, width: `${side}px`, height: `${side}px` });
      return side;
    };
    const tell = () => {
      cursor.hidden = false;
      place();
      const images = counts.get(row * count + column) || 0;
      const share = totals[row] ? ` (${percent(images / totals[row])})` : "";
      output.textContent = row === column
        ? `${names[row]}: ${images} of ${totals[row]} right${share}`
        : `${names[row]} taken for ${names[column]}: ${images} of ${totals[row]}${share}`;
    };
    const setZoom = (next, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
      const before = sheet.clientWidth;
      const [left, top] = [view.scrollLeft + x, view.scrollTop + y];
      zoom = Math.max(1, Math.min(Math.max(8, (24 * count) / fitted()), next));
      sheet.style.width = zoom === 1 ? "" : `${zoom * fitted()}px`;
      const grown = sheet.clientWidth / before;
      view.scrollLeft = left * grown - x;
      view.scrollTop = top * grown - y;
      place();
    };
    const follow = () => {
      const side = place();
      view.scrollLeft = Math.min(column * side, Math.max(view.scrollLeft, (column + 1) * side - view.clientWidth));
      view.scrollTop = Math.min(row * side, Math.max(view.scrollTop, (row + 1) * side - view.clientHeight));
    };
    const point = (event) => {
      const box = sheet.getBoundingClientRect();
      column = Math.max(0, Math.min(count - 1, Math.floor(((event.clientX - box.left) / box.width) * count)));
      row = Math.max(0, Math.min(count - 1, Math.floor(((event.clientY - box.top) / box.height) * count)));
      tell();
    };
    sheet.addEventListener("pointermove", point);
    sheet.addEventListener("pointerdown", point);
    view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const box = view.getBoundingClientRect();
      setZoom(zoom * (event.deltaY < 0 ? 1.25 : 0.8), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    view.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (move) {
        row = Math.max(0, Math.min(count - 1, row + move[0]));
        column = Math.max(0, Math.min(count - 1, column + move[1]));
        tell();
        follow();
      } else if (event.key === "+" || event.key === "=") setZoom(zoom * 1.6);
      else if (event.key === "-") setZoom(zoom / 1.6);
      else return;
      event.preventDefault();
    });
    for (const button of all("[data-zoom]", heat)) {
      const factor = { in: 1.6, out: 1 / 1.6 }[button.dataset.zoom];
      button.addEventListener("click", () => setZoom(factor ? zoom * factor : 1));
    }
    addEventListener("resize", () => setZoom(zoom));
  }

  // Contents: where the reader is.
  const links = new Map(all(".contents a").map((link) => [link.getAttribute("href").slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  all("main section").forEach((section) => watcher.observe(section));
})();
