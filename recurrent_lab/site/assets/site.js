// Search, theme, menu, copying, the claims board. No library, no network; works from file:// too.
const root = document.body.dataset.root || "", $ = (css, from = document) => from.querySelector(css), all = (css, from = document) => [...from.querySelectorAll(css)];

$("#theme")?.addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
});
$("#menu")?.addEventListener("click", () => $("#menu").setAttribute("aria-expanded", document.body.classList.toggle("open")));

for (const pre of all(".cell > .code")) {
  const button = Object.assign(document.createElement("button"), { className: "copy", textContent: "copy", type: "button" });
  button.onclick = () => navigator.clipboard.writeText($("code", pre).textContent).then(() => { button.textContent = "copied"; setTimeout(() => button.textContent = "copy", 1200); });
  pre.append(button);
}

// Search: the index is a script of its own, fetched when first asked for.
const box = $("#search"), list = $("#found");
let loading;
const index = () => loading ??= new Promise(done => {
  const script = Object.assign(document.createElement("script"), { src: root + "search.js", onload: () => done(window.SEARCH) });
  document.head.append(script);
});
async function find() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return list.hidden = true;
  const score = ([, page, title, text]) => {
    let sum = 0;
    for (const w of words) {
      const name = title.toLowerCase(), s = name === w ? 60 : name.startsWith(w) ? 30 : name.includes(w) ? 20 : page.toLowerCase().includes(w) ? 8 : text.toLowerCase().includes(w) ? 3 : -1000;
      sum += s;
    }
    return sum;
  };
  const hits = (await index()).map(e => [score(e), e]).filter(h => h[0] > 0).sort((a, b) => b[0] - a[0]).slice(0, 12);
  list.replaceChildren(...hits.map(([, [address, page, title, text]]) => {
    const item = document.createElement("li"), a = Object.assign(document.createElement("a"), { href: root + address });
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 40);
    a.append(title, Object.assign(document.createElement("small"), { textContent: page + (text ? " · " + (at ? "…" : "") + text.slice(at, at + 110) : "") }));
    item.append(a);
    return item;
  }));
  if (!hits.length) list.append(Object.assign(document.createElement("p"), { textContent: "Nothing found." }));
  list.hidden = false;
}
box?.addEventListener("input", find);
box?.addEventListener("focus", index);
document.addEventListener("keydown", event => {
  if (event.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName)) { event.preventDefault(); box.focus(); }
  if (event.key === "Escape") { list.hidden = true; document.body.classList.remove("open"); }
  const links = all("a", list), here = links.indexOf(document.activeElement);
  if (!list.hidden && event.key === "ArrowDown") { event.preventDefault(); links[Math.min(here + 1, links.length - 1)]?.focus(); }
  if (!list.hidden && event.key === "ArrowUp") { event.preventDefault(); (here > 0 ? links[here - 1] : box).focus(); }
  if (!list.hidden && event.key === "Enter" && document.activeElement === box) links[0]?.click();
});
document.addEventListener("click", event => { if (!event.target.closest(".search")) list.hidden = true; });

// The claims board: filters and sorting over the rows that are there.
for (const board of all(".board")) {
  const rows = all("tbody tr", board), body = $("tbody", board), filters = all("[data-filter]", board), count = $("output", board);
  const apply = () => {
    for (const row of rows) row.hidden = !filters.every(f => !f.value || (f.dataset.filter === "text" ? row.textContent.toLowerCase().includes(f.value.toLowerCase()) : row.dataset[f.dataset.filter] === f.value));
    count.value = `${rows.filter(r => !r.hidden).length} of ${rows.length} claims`;
  };
  for (const filter of filters) filter.addEventListener("input", apply);
  apply();
  all("th button", board).forEach((button, column) => button.addEventListener("click", () => {
    const head = button.parentElement, up = head.getAttribute("aria-sort") !== "ascending";
    all("th", board).forEach(th => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = row => row.cells[column].dataset.sort ?? row.cells[column].textContent;
    body.append(...rows.sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }) * (up ? 1 : -1)));
  }));
  apply();
}

