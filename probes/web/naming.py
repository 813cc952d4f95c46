"""What a person would call a field: a script, shared by all that name fields to a reader or look them up by name."""

from __future__ import annotations

# labelOf(field): its label; else what stands beside it in a table, or before it; else the name it has for the server.
LABEL_OF = r"""const _NO_WORDS = 'input,select,textarea,button,script,style,svg,[contenteditable]';
const labelOf = field => {
  const tidy = words => (words ?? '').replace(/\s+/g, ' ').trim().replace(/^[*\s]+|[*:\s]+$/g, '');
  const words = element => { const copy = element.cloneNode(true);
    copy.querySelectorAll(_NO_WORDS).forEach(each => each.remove());
    return tidy(copy.textContent); };
  const page = field.ownerDocument;
  const named = (field.getAttribute('aria-labelledby') ?? '').split(/\s+/).filter(Boolean)
    .map(id => page.getElementById(id)).filter(Boolean).map(words).join(' ');
  const labels = [...(field.labels ?? [])].map(words);
  const own = [...labels, tidy(named), tidy(field.getAttribute('aria-label'))].find(Boolean);
  if (own) return own;
  const beside = field.closest('td,dd')?.previousElementSibling;
  if (beside && words(beside) && words(beside).length < 80 && !beside.querySelector('input,select,textarea'))
    return words(beside);
  const last = tidy(field.placeholder) || tidy(field.title) || tidy(field.name) || field.id || '';
  for (let part = field, level = 0; part && level < 3; part = part.parentElement, level++) {
    for (let before = part.previousSibling; before; before = before.previousSibling) {
      if (before.nodeType === 1 && (before.matches('input,select,textarea,form,table,script,style')
        || before.querySelector('input:not([type=hidden]),select,textarea'))) return last;
      const text = before.nodeType === 1 ? words(before) : tidy(before.textContent);
      if (text && text.length < 80) return text;
    }
    if (part.tagName === 'FORM') break;
  }
  return last;
};"""
