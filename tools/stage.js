// What an audience would not see or not read, on a page with all slides below one another.
// Returns [[slide number, what, where], ...]; tools/stage.py passes the limits.
([smallest, smallestBody, contrast, maxLines]) => {
  const found = [];
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
      if (color[3] > 0) return null;  // half transparent: not used here, not measured
    }
    return [255, 255, 255];
  };
  const meets = (a, b, by = 0) =>
    a.left < b.right - by && b.left < a.right - by &&
    a.top < b.bottom - by && b.top < a.bottom - by;
  const within = (a, b, by = 0) =>
    a.left >= b.left - by && a.right <= b.right + by &&
    a.top >= b.top - by && a.bottom <= b.bottom + by;
  // The letters of a line without the air above and below them.
  const glyphsOf = (e) => {
    const r = e.getBoundingClientRect();
    const top = r.top + r.height * 0.22, bottom = r.bottom - r.height * 0.2;
    return { left: r.left, right: r.right, top, bottom };
  };
  const linesOf = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const middles = [...range.getClientRects()].map((r) => (r.top + r.bottom) / 2).sort((a, b) => a - b);
    return middles.filter((y, i) => i === 0 || y - middles[i - 1] > 12).length;
  };

  document.querySelectorAll("div.marpit > section").forEach((section, index) => {
    section.scrollIntoView();
    const say = (what, detail) => found.push([index + 1, what, String(detail).trim().slice(0, 60)]);
    const box = section.getBoundingClientRect();
    const header = section.querySelector("header"), footer = section.querySelector("footer");
    const ceiling = header ? header.getBoundingClientRect().bottom : box.top + 20;
    const floor = footer ? footer.getBoundingClientRect().top : box.bottom - 50;
    const room = { left: box.left + 40, right: box.right - 40, top: ceiling, bottom: floor };

    // 1) overflow: of the slide, of a box within it, into header, footer or page number
    if (section.scrollHeight > section.clientHeight + 1 || section.scrollWidth > section.clientWidth + 1)
      say("overflow", `${section.scrollWidth} x ${section.scrollHeight}`);
    for (const e of section.querySelectorAll("*")) {
      if (e.closest("header, footer") || e.closest("svg") !== (e.tagName === "svg" ? e : null)) continue;
      if (!within(e.getBoundingClientRect(), room, 1)) say("outside", `<${e.tagName}> ${e.textContent}`);
      if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth && getComputedStyle(e).display !== "inline")
        say("overflow", `<${e.tagName}> ${e.textContent}`);
    }
    for (const edge of [header, footer])
      if (edge && !within(edge.getBoundingClientRect(), box, -8)) say("outside", edge.textContent);

    // 2) letters: size and contrast
    const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const words = walker.currentNode.data.trim(), e = walker.currentNode.parentElement;
      if (!words || e.tagName === "STYLE") continue;
      const style = getComputedStyle(e), drawn = e.closest("svg");
      const scale = drawn ? drawn.getBoundingClientRect().width / drawn.viewBox.baseVal.width : 1;
      const size = parseFloat(style.fontSize) * scale;
      const least = drawn || e.closest("header, footer") ? smallest : smallestBody;
      if (size < least - 0.05) say("small", `${size.toFixed(1)} px: ${words}`);
      const color = parse(drawn ? style.fill : style.color);
      let grounds = [ground(e)];
      if (drawn) {
        const r = e.getBoundingClientRect(), y = (r.top + r.bottom) / 2;
        grounds = [r.left + 3, (r.left + r.right) / 2, r.right - 3].map((x) => {
          const under = document.elementsFromPoint(x, y)
            .find((s) => s.tagName !== "text" && s.tagName !== "svg" && s.closest("svg") === drawn);
          if (!under) return ground(drawn);
          const fill = getComputedStyle(under).fill;
          if (fill === "none") { say("a line runs through", words); return [255, 255, 255]; }
          return parse(fill);
        });
      }
      for (const g of grounds) {
        if (!g) { say("contrast", `cannot be measured: ${words}`); continue; }
        const c = ratio(color, g);
        if (c < contrast) say("contrast", `${c.toFixed(2)}: ${words}`);
      }
    }
    const markers = [...section.querySelectorAll("li")].map((li) => [li, "::marker"]);
    for (const [e, pseudo] of [[section, "::after"], ...markers]) {
      const style = getComputedStyle(e, pseudo);
      if (pseudo === "::after" && ["none", "normal", '""'].includes(style.content)) continue;
      if (parseFloat(style.fontSize) < smallest) say("small", pseudo);
      if (ratio(parse(style.color), ground(e)) < contrast) say("contrast", pseudo);
    }

    // 3) too much of it
    const lines = [...section.querySelectorAll(":scope > p, li")]
      .filter((e) => !e.querySelector("svg")).reduce((sum, e) => sum + linesOf(e), 0);
    if (lines > maxLines) say("long", `${lines} lines of running text`);
    const title = section.querySelector("h1");
    if (!title) say("no title", "");
    else if (linesOf(title) > 2) say("long", `title of ${linesOf(title)} lines`);

    // 4) figures: words within the sheet, not over one another, not over an edge
    for (const svg of section.querySelectorAll("svg")) {
      const sheet = svg.getBoundingClientRect();
      const texts = [...svg.querySelectorAll("text")].map((e) => [e.textContent, glyphsOf(e)]);
      const boxes = [...svg.querySelectorAll("rect")].map((e) => e.getBoundingClientRect());
      texts.forEach(([words, glyphs], i) => {
        if (!within(glyphs, sheet, 1)) say("outside the figure", words);
        for (const [others, also] of texts.slice(i + 1))
          if (meets(glyphs, also, 1)) say("over one another", `${words} / ${others}`);
        for (const b of boxes)
          if (meets(glyphs, b, 1) && !within(glyphs, b, 1)) say("over an edge", words);
      });
    }
  });
  return found;
}
