"use strict";
// What a report does by itself: choose the metric of a chart, copy tables, turn poses, read the matrix of structures.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("data").textContent);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  document.documentElement.classList.add("scripted");

  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

  // ---- saying something for a moment

  const said = document.getElementById("said");
  let silence = 0;
  const say = (text) => {
    said.textContent = text;
    said.classList.add("shown");
    clearTimeout(silence);
    silence = setTimeout(() => said.classList.remove("shown"), 2500);
  };

  // ---- copying tables

  const copyByHand = (text) => {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  };
  for (const button of all("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = data.copy[button.dataset.copy];
      let done = false;
      try {
        await navigator.clipboard.writeText(text);
        done = true;
      } catch {
        done = copyByHand(text);
        button.focus();
      }
      say(done ? "Copied" : "The browser does not let this page copy");
    });
  }

  // ---- the metric of a chart

  for (const select of all("select.switch")) {
    const charts = all("[data-chart]", select.closest("figure"));
    const show = () => {
      for (const chart of charts) chart.hidden = chart.dataset.chart !== select.value;
    };
    select.addEventListener("change", show);
    show(); // a browser may remember what was chosen
  }

  // ---- poses: the viewer walks around them by `azimuth` and climbs by `elevation`, in degrees

  const START = [25, 10];
  const turned = ([x, y, z], azimuth, elevation) => {
    const a = (azimuth * Math.PI) / 180;
    const e = (elevation * Math.PI) / 180;
    const depth = Math.cos(a) * z - Math.sin(a) * x;
    return [
      Math.cos(a) * x + Math.sin(a) * z,
      Math.cos(e) * y + Math.sin(e) * depth,
      Math.cos(e) * depth - Math.sin(e) * y,
    ];
  };

  // Puts the bones of one pose into an element, the far ones first.
  const draw = (layer, paths, bones, joints, size, view) => {
    const at = joints.map((joint) => joint && turned(joint, ...view).map((value) => (value / size) * 100));
    const known = [];
    bones.forEach(([a, b], i) => {
      if (at[a] && at[b]) known.push([at[a][2] + at[b][2], i]);
    });
    known.sort((first, second) => second[0] - first[0]);
    for (const [, i] of known) {
      const [a, b] = bones[i].map((joint) => at[joint]);
      const [x1, y1, x2, y2] = [a[0], -a[1], b[0], -b[1]].map((value) => value.toFixed(1));
      paths[i].setAttribute("d", `M${x1} ${y1}L${x2} ${y2}`);
      layer.append(paths[i]);
    }
  };
  const pathsFor = (bones) =>
    bones.map(([, , side]) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", side);
      return path;
    });

  const stages = all("[data-pose]").map((element) => {
    const svg = element.querySelector("svg");
    const pose = data.poses.list[Number(element.dataset.pose)];
    const layers = ["gt", "pred"].map((name) => {
      const layer = svg.querySelector(`.${name}`);
      layer.replaceChildren();
      return [layer, pathsFor(data.poses.bones), pose[name]];
    });
    const stage = { element, view: [...START], moving: 0 };
    stage.show = () => {
      for (const [layer, paths, joints] of layers) {
        draw(layer, paths, data.poses.bones, joints, Number(svg.dataset.size), stage.view);
      }
      element.dataset.azimuth = Math.round(stage.view[0]);
      element.dataset.elevation = Math.round(stage.view[1]);
    };
    return stage;
  });
  const together = document.getElementById("together");
  const around = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
  const look = (stage, azimuth, elevation) => {
    for (const other of together && together.checked ? stages : [stage]) {
      cancelAnimationFrame(other.moving);
      other.view = [around(azimuth), Math.max(-90, Math.min(90, elevation))];
      other.show();
    }
  };
  const glide = (stage, azimuth, elevation) => {
    cancelAnimationFrame(stage.moving);
    const [a, e] = stage.view;
    const way = around(azimuth - a);
    const begin = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - begin) / 300);
      const eased = t * (2 - t);
      stage.view = [around(a + way * eased), e + (elevation - e) * eased];
      stage.show();
      if (t < 1) stage.moving = requestAnimationFrame(step);
    };
    if (calm.matches) {
      stage.view = [azimuth, elevation];
      stage.show();
    } else {
      stage.moving = requestAnimationFrame(step);
    }
  };
  const KEYS = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] };
  for (const stage of stages) {
    const { element } = stage;
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.setAttribute("aria-roledescription", "pose that can be turned");
    element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Home") look(stage, ...START);
      else if (KEYS[event.key]) look(stage, stage.view[0] + KEYS[event.key][0], stage.view[1] + KEYS[event.key][1]);
      else return;
      event.preventDefault();
      said.classList.remove("shown");
      said.textContent = `${element.dataset.azimuth} degrees around, ${element.dataset.elevation} up`;
    });
    let from = null;
    element.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY, ...stage.view];
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (!from) return;
      const scale = 180 / element.clientWidth;
      look(stage, from[2] - (event.clientX - from[0]) * scale, from[3] + (event.clientY - from[1]) * scale);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      element.addEventListener(end, () => {
        from = null;
      });
    }
    stage.show();
  }
  for (const button of all("button[data-view]")) {
    button.addEventListener("click", () => {
      const [azimuth, elevation] = button.dataset.view.split(" ").map(Number);
      for (const stage of stages) glide(stage, azimuth, elevation);
    });
  }

  // ---- the matrix of structures

  for (const board of all("[data-structures]")) {
    const { k, cells, bones, centres } = data.structures[Number(board.dataset.structures)];
    const counts = new Map();
    const sums = new Array(k).fill(0);
    for (let i = 0; i < cells.length; i += 3) {
      counts.set(cells[i] * (k + 1) + cells[i + 1], cells[i + 2]);
      sums[cells[i]] += cells[i + 2];
    }
    const svg = board.querySelector("svg");
    const cursor = svg.querySelector(".cursor");
    const inspector = board.closest(".pair").querySelector(".inspector");
    const picture = (cluster, title) => {
      if (!centres || cluster === k) {
        const none = document.createElement("span");
        none.className = "structure none";
        none.textContent = cluster === k ? "no cluster" : String(cluster);
        return none;
      }
      const drawn = document.createElementNS(SVG, "svg");
      drawn.setAttribute("class", "structure");
      drawn.setAttribute("role", "img");
      drawn.setAttribute("aria-label", title);
      const pose = centres[cluster];
      const known = pose.filter(Boolean);
      const size = Math.max(...known.map((joint) => Math.hypot(...joint)));
      const at = known.map((joint) => turned(joint, ...START).map((value) => (value / size) * 100));
      const [low, high] = [Math.min, Math.max].map((end) => [0, 1].map((axis) => end(...at.map((joint) => joint[axis]))));
      const half = 0.54 * Math.max(high[0] - low[0], high[1] - low[1]);
      const [x, y] = [(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2];
      drawn.setAttribute("viewBox", [x - half, y - half, 2 * half, 2 * half].map((value) => value.toFixed(1)).join(" "));
      draw(drawn, pathsFor(bones), bones, pose, size, START);
      return drawn;
    };
    // The most frequent way to another cluster is read first.
    let most = [0, 0, 0];
    for (let i = 0; i < cells.length; i += 3) {
      if (cells[i] !== cells[i + 1] && cells[i + 2] > most[2]) most = cells.slice(i, i + 3);
    }
    let at = null;
    const read = (row, column) => {
      at = [Math.max(0, Math.min(k - 1, row)), Math.max(0, Math.min(k, column))];
      const [r, c] = at;
      const n = counts.get(r * (k + 1) + c) || 0;
      cursor.setAttribute("x", c);
      cursor.setAttribute("y", r);
      cursor.removeAttribute("hidden");
      inspector.hidden = false;
      const to = c === k ? "none" : `cluster ${c}`;
      inspector.querySelector(".from").replaceChildren(picture(r, `centre of cluster ${r}`));
      inspector.querySelector(".to").replaceChildren(picture(c, `centre of ${to}`));
      const share = sums[r] ? ` (${((100 * n) / sums[r]).toFixed(1)} %)` : "";
      inspector.querySelector(".reading").textContent =
        `cluster ${r} → ${to}: ${n} of ${sums[r]} frames${share}${r === c ? ", right" : ""}`;
    };
    board.tabIndex = 0;
    board.setAttribute("role", "application");
    board.setAttribute("aria-roledescription", "matrix");
    board.setAttribute("aria-label", svg.querySelector("title").textContent);
    read(most[0], most[1]);
    const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    board.addEventListener("keydown", (event) => {
      if (!MOVES[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const [row, column] = at;
      read(row + MOVES[event.key][0], column + MOVES[event.key][1]);
    });
    board.addEventListener("pointermove", (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      if (point.x >= 0 && point.x < k + 1 && point.y >= 0 && point.y < k) read(Math.floor(point.y), Math.floor(point.x));
    });
  }
})();
