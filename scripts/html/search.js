/* The search box: looks through the names and first sentences in index.js, so that it works from
 * files as well as from a server. */
(function () {
  "use strict";
  const box = document.getElementById("search"), list = document.getElementById("found");
  const root = document.body.dataset.root, most = 40;
  let chosen = -1;

  /* Lower is better; -1 where a word is nowhere. */
  function rank(entry, words) {
    const name = entry[0].toLowerCase(), last = name.split(/[.:]/).pop();
    let sum = 0;
    for (const word of words) {
      if (last === word || name === word) sum += 0;
      else if (last.startsWith(word)) sum += 1;
      else if (name.includes(word)) sum += 2;
      else if (entry[1].toLowerCase().includes(word)) sum += 4;
      else return -1;
    }
    return sum;
  }

  function search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    return CUSP_INDEX.map((entry) => [rank(entry, words), entry]).filter((pair) => pair[0] >= 0)
      .sort((a, b) => a[0] - b[0] || a[1][0].length - b[1][0].length).slice(0, most)
      .map((pair) => pair[1]);
  }

  function item(entry) {
    const line = document.createElement("li"), link = document.createElement("a");
    const name = document.createElement("b"), text = document.createElement("span");
    name.textContent = entry[0];
    text.textContent = entry[1];
    link.href = root + entry[2];
    link.append(name, text);
    line.append(link);
    return line;
  }

  function show() {
    const found = search(box.value);
    list.replaceChildren(...found.map(item));
    if (box.value.trim() && !found.length) list.textContent = "Nothing found.";
    list.hidden = !box.value.trim();
    choose(found.length ? 0 : -1);
  }

  function choose(index) {
    for (const line of list.children) line.classList.remove("chosen");
    chosen = index;
    const line = list.children[index];
    if (!line) return;
    line.classList.add("chosen");
    line.scrollIntoView({ block: "nearest" });
  }

  box.addEventListener("input", show);
  box.addEventListener("keydown", (event) => {
    const count = list.querySelectorAll("a").length;
    if (event.key === "ArrowDown" && count) choose((chosen + 1) % count);
    else if (event.key === "ArrowUp" && count) choose((chosen + count - 1) % count);
    else if (event.key === "Enter" && list.children[chosen]) {
      list.children[chosen].querySelector("a").click();
      list.hidden = true;
    } else if (event.key === "Escape") list.hidden = true;
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box) {
      event.preventDefault();
      box.focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".search")) list.hidden = true;
  });
  const wanted = new URLSearchParams(location.search).get("q"); /* page.html?q=softmax */
  if (wanted) {
    box.value = wanted;
    show();
  }
})();
