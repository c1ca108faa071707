// Search, theme, menu, copying, the claims board. No library, no network; works from file:// too.
const root = document.body.dataset.root || "", $ = (css, from = document) => from.querySelector(css), all = (css, from = document) => [...from.querySelectorAll(css)];

$("#theme")?.addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
});
$("#menu")?.addEventListener("click", () => $("#menu").setAttribute("aria-expanded", document.body.classList.toggle("open")));

for (const pre of all(".cell .code")) {
  const button = Object.assign(document.createElement("button"), { className: "copy", textContent: "copy", type: "button" });
  button.onclick = () => navigator.clipboard.writeText($("code", pre).textContent).then(() => { button.textContent = "copied"; setTimeout(() => button.textContent = "copy", 1200); });
  pre.append(button);
}

// What is large is a script of its own, fetched when first asked for: works from file:// too.
const loading = {};
const fetched = (file, name) => loading[file] ??= new Promise(done => {
  const script = Object.assign(document.createElement("script"), { src: root + file, onload: () => done(window[name]) });
  document.head.append(script);
});

// Search: every section and symbol, in small letters once.
const box = $("#search"), list = $("#found");
let sections;
const index = async () => sections ??= (await fetched("search.js", "SEARCH")).map(e => ({ entry: e, page: e[1].toLowerCase(), name: e[2].toLowerCase(), text: e[3].toLowerCase() }));
async function find() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return list.hidden = true;
  const score = ({ page, name, text }) => {
    let sum = 0;
    for (const w of words) {
      sum += name === w ? 60 : name.startsWith(w) ? 30 : name.includes(w) ? 20 : page.includes(w) ? 8 : text.includes(w) ? 3 : -1000;
      if (sum < 0) break;
    }
    return sum;
  };
  const hits = (await index()).map(e => [score(e), e.entry]).filter(h => h[0] > 0).sort((a, b) => b[0] - a[0]).slice(0, 12);
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

// The claims board: the first leaf is in the page, all claims are in a script beside it.
for (const board of all(".board")) {
  const body = $("tbody", board), words = $("input", board), choices = all("select", board), size = +board.dataset.leaf;
  const count = $("output", board), [back, on] = all(".leaves button", board);
  let leaf = 0, order = null;
  const draw = async () => {
    const claims = await fetched("board.js", "BOARD"), wanted = words.value.toLowerCase();
    for (const claim of claims) claim.words ??= claim.html.replace(/<[^>]*>/g, " ").toLowerCase();
    const found = claims.filter(c => c.words.includes(wanted) && choices.every((choice, n) => !choice.value || c.of[n] === choice.value));
    if (order) found.sort((a, b) => String(a.by[order.column] ?? "").localeCompare(String(b.by[order.column] ?? ""), "en", { numeric: true }) * (order.up ? 1 : -1));
    leaf = Math.max(0, Math.min(leaf, Math.ceil(found.length / size) - 1));
    const shown = found.slice(leaf * size, (leaf + 1) * size);
    body.innerHTML = shown.map(c => `<tr>${c.html.replaceAll('href="/', `href="${root}`)}</tr>`).join("");
    count.value = `${shown.length ? leaf * size + 1 : 0}–${leaf * size + shown.length} of ${found.length} claims, ${claims.length} in all`;
    back.disabled = !leaf; on.disabled = (leaf + 1) * size >= found.length;
  };
  const turn = by => { leaf += by; draw(); };
  back.disabled = true;
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  for (const filter of [words, ...choices]) filter.addEventListener("input", () => { leaf = 0; draw(); });
  all("th button", board).forEach((button, column) => button.addEventListener("click", () => {
    const head = button.parentElement, up = head.getAttribute("aria-sort") !== "ascending";
    all("th", board).forEach(th => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    order = { column, up }; leaf = 0;
    draw();
  }));
}
