"""Ways to find elements that Playwright does not have: fields by the words beside them, and editors for hidden fields.

A field is often labelled by nothing but the text before it (a table's cell, a line in bold), and the editor that people
write in often stands for a textarea that is hidden. The script runs apart from the page's own scripts.
"""

from __future__ import annotations

import json

NEAR = "holdproof_near"

# The nearest thing after a text is its field only if no other text stands between them, or if nothing else is near.
_NEAR = r"""({
  query(root, body) { return this.queryAll(root, body)[0] ?? null; },
  queryAll(root, body) {
    const {text, fields, editors} = JSON.parse(body);
    const inside = root.ownerDocument ? root : root.body ?? root.documentElement;
    const page = root.ownerDocument ?? root;
    const plain = words => (words ?? '').replace(/\s+/g, ' ').trim().toLowerCase()
      .replace(/\((required|optional|pflichtfeld|obligatoire|obligatorio)\)/g, '').replace(/^[*\s]+|[*:\s]+$/g, '');
    const wanted = plain(text);
    const large = element => { const box = element.getBoundingClientRect();
      return box.width > 20 && box.height > 5 && box.right > 0 && box.bottom > 0; };
    const seen = element => !element.checkVisibility || element.checkVisibility({visibilityProperty: true});
    const written = element => { try {
      const body = element.contentDocument?.body;
      return body && (body.isContentEditable || element.contentDocument.designMode === 'on');
    } catch { return false; } };
    const editorsIn = scope => !editors ? [] :
      [...scope.querySelectorAll('[contenteditable]:not([contenteditable=false]),iframe')].filter(each =>
        seen(each) && large(each) && (each.tagName === 'IFRAME' ? written(each)
          : each.isContentEditable && !each.parentElement?.isContentEditable));
    const fieldsIn = scope => [...scope.querySelectorAll(fields)]
      .filter(each => !each.isContentEditable
        && ![...(each.labels ?? [])].some(label => plain(label.innerText) && plain(label.innerText) !== wanted)
        && (seen(each) || each.tagName === 'SELECT' || ['file', 'checkbox', 'radio'].includes(each.type)));
    const after = (one, other) => one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
    const between = (one, other) => { const range = page.createRange();
      range.setStartAfter(one); range.setEndBefore(other); return range.toString().trim(); };
    const climb = (from, candidatesIn, choose) => {
      for (let scope = from.parentElement, level = 0; scope && level < 6; scope = scope.parentElement, level++) {
        const found = candidatesIn(scope).filter(each => !from.contains(each));
        if (found.length) return choose(found, scope);
        if (scope === inside || scope.tagName === 'FORM') break;
      }
      return [];
    };
    const hidden = [...inside.querySelectorAll('textarea,input:not([type=checkbox],[type=radio],[type=file])')]
      .filter(each => !seen(each) || each.type === 'hidden' || !large(each))
      .filter(each => [...(each.labels ?? [])].some(label => plain(label.innerText) === wanted)
        || [each.name, each.id, each.ariaLabel, each.placeholder].some(name => plain(name) === wanted));
    const standsFor = field => climb(field, editorsIn, found => {
      const next = found.filter(each => after(field, each));
      return next.length ? [next[0]] : [found[found.length - 1]];
    });
    const found = new Set(editors ? hidden.flatMap(standsFor) : []);
    if (found.size) return [...found];
    // The words of a part less those of the fields in it.
    const words = part => { if (!part.querySelector(fields)) return plain(part.innerText);
      const copy = part.cloneNode(true);
      copy.querySelectorAll('input,select,textarea,button,script,style').forEach(each => each.remove());
      return plain(copy.textContent); };
    const labels = [...inside.querySelectorAll('label,legend,th,td,dt,p,span,div,b,strong,h1,h2,h3,h4,h5,h6,li,font')]
      .filter(each => each.textContent.length < 2000 && words(each) === wanted && seen(each)
        && ![...each.children].some(child => words(child) === wanted));
    for (const label of labels) {
      const pointed = label.getAttribute('for');
      const control = pointed ? page.getElementById(pointed) : null;
      if (control ?? label.control) {
        if (editors) standsFor(control ?? label.control).forEach(each => found.add(each));
        continue;
      }
      const own = [...fieldsIn(label), ...editorsIn(label)];
      if (own.length) {
        if (own.length === 1) found.add(own[0]);
        continue;
      }
      climb(label, scope => [...fieldsIn(scope), ...editorsIn(scope)].filter(each => after(label, each))
        .sort((one, other) => after(one, other) ? -1 : 1), choices => {
          const cell = label.closest('td,th'), table = cell?.closest('table'), first = choices[0];
          const row = first.closest('tr');
          if (cell && first.closest('table') === table && row !== cell.closest('tr'))
            // The head of a column: its field is in the next row, in the same column.
            return choices.filter(each => each.closest('tr') === row
              && each.closest('td,th')?.cellIndex === cell.cellIndex).slice(0, 1);
          return choices.length === 1 || !between(label, first) ? [first] : [];
      }).forEach(each => found.add(each));
    }
    return [...found];
  },
})"""

ENGINES = {NEAR: _NEAR}


def near(text: str, fields: str, *, editors: bool) -> str:
    """Return the selector of what stands beside a text, or for a hidden field of that name."""
    body = json.dumps({"text": text, "fields": fields, "editors": editors})
    return f"{NEAR}={body.replace('>', chr(92) + 'u003e')}"
