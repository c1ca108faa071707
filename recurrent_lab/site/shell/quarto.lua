-- Quarto's callouts and tabs: `::: {.callout-note title="..." collapse="true"}`, `::: {.panel-tabset}`.
local words = {note = "Note", tip = "Tip", warning = "Warning", important = "Important", caution = "Caution"}
local sets = 0

local function html(text) return pandoc.RawBlock("html", text) end

local function callout(div, kind)
  local title = div.attributes.title and pandoc.Inlines(div.attributes.title)
  if not title and div.content[1] and div.content[1].t == "Header" then
    title = div.content:remove(1).content
  end
  title = pandoc.Plain(title or pandoc.Inlines(words[kind]))
  local class = 'class="callout callout-' .. kind .. '"'
  local collapse = div.attributes.collapse
  if collapse then
    return {html("<details " .. class .. (collapse == "false" and " open" or "") .. "><summary>"), title,
            html("</summary>"), pandoc.Div(div.content), html("</details>")}
  end
  return {html("<div " .. class .. '><div class="callout-title">'), title, html("</div>"),
          pandoc.Div(div.content), html("</div>")}
end

-- A tab is a radio button, its label and what stands after it, so that it needs no script.
local function tabs(div)
  sets = sets + 1
  local made, level, n, tab = {html('<div class="tabs">')}, nil, 0, nil
  for _, block in ipairs(div.content) do
    if block.t == "Header" and (not level or block.level == level) then
      level, n = block.level, n + 1
      local id = "tabs-" .. sets .. "-" .. n
      tab = pandoc.Div({}, {class = "tab"})
      made[#made + 1] = html('<input type="radio" name="tabs-' .. sets .. '" id="' .. id .. '"'
                             .. (n == 1 and " checked" or "") .. '><label for="' .. id .. '">')
      made[#made + 1] = pandoc.Plain(block.content)
      made[#made + 1] = html("</label>")
      made[#made + 1] = tab
    elseif tab then tab.content:insert(block)
    else made[#made + 1] = block
    end
  end
  made[#made + 1] = html("</div>")
  return made
end

return {{
  traverse = "topdown",
  RawBlock = function(block) if block.text == "<!--next-->" then sets = 0 end end,
  Div = function(div)
    for _, class in ipairs(div.classes) do
      local kind = class:match("^callout%-(%a+)$")
      if kind and words[kind] then return callout(div, kind) end
      if class == "panel-tabset" then return tabs(div) end
    end
  end,
}}
