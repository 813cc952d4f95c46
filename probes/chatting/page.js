// Reads a chat in one frame: where its input and its list are, what the list shows, what else the chat says.
// Nothing here judges what a text means, and nothing changes the page. Everything is bounded.
const MOST_ELEMENTS = 40000, MOST_ITEMS = 300, LONGEST = 20000, MOST_LOOSE = 60;
const state = (globalThis[Symbol.for('read-' + cfg.session)] ??= { ids: new WeakMap(), next: 1, log: null, root: null, input: null, used: 0 });
const nodeId = element => { if (!state.ids.has(element)) state.ids.set(element, state.next++); return String(state.ids.get(element)); };

// --- the tree as it is shown: shadow trees and what is put in their slots ---
const kids = element => element.shadowRoot ? [...element.shadowRoot.children]
  : element.localName === 'slot' && element.assignedElements().length ? element.assignedElements() : [...element.children];
const nodes = element => element.shadowRoot ? [...element.shadowRoot.childNodes]
  : element.localName === 'slot' && element.assignedNodes().length ? element.assignedNodes() : [...element.childNodes];
const parent = element => element.assignedSlot ?? element.parentElement
  ?? (element.getRootNode() instanceof ShadowRoot ? element.getRootNode().host : null);
const within = (element, outer) => { for (let at = element; at; at = parent(at)) if (at === outer) return true; return false; };
const SKIPPED = new Set(['script', 'style', 'template', 'noscript', 'svg', 'head', 'iframe', 'link', 'meta']);
const everything = (from = document.body) => {
  const found = [], waiting = from ? [from] : [];
  while (waiting.length && found.length < MOST_ELEMENTS) {
    const element = waiting.pop();
    if (SKIPPED.has(element.localName)) continue;
    found.push(element);
    const below = kids(element);
    for (let index = below.length - 1; index >= 0; index--) waiting.push(below[index]);
  }
  return found;
};
const select = (selector, from = document.body) => everything(from).filter(element => element.matches(selector));
const box = element => element.getBoundingClientRect();
const seen = element => { const at = box(element); return at.width > 1 && at.height > 1
  && (!element.checkVisibility || element.checkVisibility({ visibilityProperty: true, opacityProperty: true })); };
const style = element => getComputedStyle(element);
const words = element => `${element.id ?? ''} ${typeof element.className === 'string' ? element.className : ''} `
  + `${element.getAttribute('data-testid') ?? ''} ${element.getAttribute('part') ?? ''}`;
const tokens = text => new Set(text.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase().split(/[^a-z]+/));
const label = element => [element.getAttribute('aria-label'), element.title, element.placeholder, element.getAttribute('alt'),
  element.getAttribute('data-placeholder'), ...[...(element.labels ?? [])].map(one => one.innerText)].filter(Boolean).join(' ');
const hasAny = (set, list) => list.some(word => set.has(word));

const INLINE = new Set(['inline', 'inline-block', 'contents', 'inline-flex', 'ruby']);
const say = (element, left = new Set()) => {
  let text = '';
  const walk = node => {
    if (text.length > LONGEST) return;
    if (node.nodeType === Node.TEXT_NODE) { text += node.data.replace(/[ \t\r\n]+/g, ' '); return; }
    if (node.nodeType !== Node.ELEMENT_NODE || left.has(node) || SKIPPED.has(node.localName)) return;
    if (node.localName === 'br') { text += '\n'; return; }
    if (node.localName === 'img') { const alt = node.alt ?? ''; if (alt && alt.length <= 8 && !/[a-z]{3}/i.test(alt)) text += alt; return; }
    if (['input', 'textarea', 'select'].includes(node.localName)) return;
    if (node !== element && !shown(node)) return;
    const block = node !== element && !INLINE.has(style(node).display);
    if (block) text += '\n';
    for (const inner of nodes(node)) walk(inner);
    if (block) text += '\n';
  };
  const shown = node => { const how = style(node);
    if (how.display === 'none' || how.visibility === 'hidden') return false;
    const at = box(node);
    return !(how.position === 'absolute' && at.width <= 1.5 && at.height <= 1.5); };
  walk(element);
  return text.split('\n').map(line => line.replace(/ +/g, ' ').trim()).filter(Boolean).join('\n').slice(0, LONGEST);
};

// --- the input ---
const TEXTS = 'textarea,input:not([type]),input[type=text],input[type=search],[role=textbox],[contenteditable]:not([contenteditable=false])';
const FIELDS = 'input:not([type=hidden],[type=button],[type=submit],[type=reset],[type=image],[type=file]),textarea,select';
const WRITE = /message|messag|type |write|reply|ask|say something|nachricht|schreib|antwort|frage|écri|votre texte|réponse|mensaje|escrib|pregunt|enter to send|chat/i;
const OTHER_FIELD = /e-?mail|\bname\b|phone|telefon|search|suche|recherch|buscar|subject|betreff|password|order|zip|postal|company|firma/i;
const fields = around => select(FIELDS, around).filter(seen);
const outerForm = element => { for (let at = element; at; at = parent(at)) if (at.localName === 'form' || at.getAttribute('role') === 'form') return at; return null; };
const inputScore = element => {
  const about = `${label(element)} ${element.name ?? ''}`, all = tokens(`${words(element)} ${words(parent(element) ?? element)}`);
  let score = element.localName === 'textarea' || element.isContentEditable ? 3 : element.getAttribute('role') === 'textbox' ? 3 : 1;
  if (WRITE.test(about)) score += 4;
  if (hasAny(all, ['chat', 'message', 'msg', 'composer', 'compose', 'reply', 'messenger', 'editor', 'prompt'])) score += 3;
  if (OTHER_FIELD.test(`${about} ${element.type ?? ''}`) && !/message|nachricht|mensaje/i.test(about)) score -= 6;
  const form = outerForm(element);
  if (form && fields(form).filter(one => one !== element && !within(one, element)).length) score -= 6;
  if (parent(element)?.closest?.('[contenteditable]:not([contenteditable=false])')) score -= 9;
  return score;
};
const findInput = () => {
  if (cfg.parts.input) return select(cfg.parts.input).find(seen) ?? null;
  const found = select(TEXTS).filter(seen).map(element => [inputScore(element), element]).filter(([score]) => score >= 3);
  found.sort((one, other) => other[0] - one[0] || box(other[1]).bottom - box(one[1]).bottom);
  return found.length ? found[0][1] : null;
};
const isEnabled = element => !!element && !element.disabled && !element.readOnly && element.getAttribute('aria-disabled') !== 'true'
  && element.getAttribute('contenteditable') !== 'false';

// --- the list of messages ---
const LISTS = /(^|[-_ ])(messages|msgs|transcript|conversations?|chat-?log|thread|history|timeline|(message|msg)-?(s-)?(list|container|area|pane|feed|view)|chat-?(body|content|area|window|messages|history|list|feed)|feed|bubbles)([-_ ]|$)/i;
const listScore = element => {
  const role = element.getAttribute('role'), live = element.getAttribute('aria-live'), at = box(element);
  if (at.height < 20 || at.width < 80) return 0;
  let score = role === 'log' ? 12 : role === 'feed' ? 8 : 0;
  if (live && live !== 'off' && at.height >= 40) score += 4;
  if (LISTS.test(words(element).replace(/([a-z])([A-Z])/g, '$1-$2'))) score += 5;
  if (/auto|scroll/.test(style(element).overflowY) && at.height > 80) score += 4;
  if (['ul', 'ol'].includes(element.localName) || role === 'list') score += 1;
  return score;
};
// A list that was found stays the one, unless another is much likelier: what is said later must not look like a list.
const stay = ([score, best], input) => state.log && state.log !== best && state.log.isConnected && seen(state.log)
  && !(input && within(input, state.log)) && score < listScore(state.log) + 4 ? state.log : best;
const findLog = input => {
  if (cfg.parts.log) return select(cfg.parts.log).find(element => box(element).width > 1) ?? null;
  const scored = everything().map(element => [listScore(element), element])
    .filter(([score, element]) => score >= 4 && !(input && within(input, element)) && !['textarea', 'input'].includes(element.localName)
      && !element.isContentEditable);
  if (!input) {
    const sure = scored.filter(([score]) => score >= 9);
    return sure.length ? sure.reduce((best, one) => one[0] >= best[0] ? one : best)[1] : null;
  }
  for (let around = parent(input), depth = 0; around && depth < 14; around = parent(around), depth++) {
    const inside = scored.filter(([, element]) => within(element, around));
    if (inside.length) return stay(inside.reduce((best, one) => one[0] >= best[0] ? one : best), input);
    const beside = kids(around).filter(one => !within(input, one) && seen(one) && box(one).height > 100 && kids(one).length > 1 && say(one).length > 20);
    if (beside.length && depth >= 1) return beside.reduce((best, one) => box(one).height > box(best).height ? one : best);
  }
  return null;
};
const isWidget = element => { const how = style(element); return how.position === 'fixed' || ['dialog', 'complementary', 'region'].includes(element.getAttribute('role'))
  || ['dialog', 'aside', 'main', 'body'].includes(element.localName); };
const findRoot = (input, log) => {
  let around = log;
  while (around && input && !within(input, around)) around = parent(around);
  for (let at = around; at; at = parent(at)) if (isWidget(at)) return at;
  return around ?? document.body;
};

// --- what stands in the list ---
const TIME = /^\W*(\d{1,2}[:.]\d{2}(:\d{2})?(\s?[ap]\.?m\.?)?( uhr)?|(just )?now|gerade eben|jetzt|à l'instant|maintenant|ahora( mismo)?|(a few |an? |\d+ ?)(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)( ago)?|vor .{1,20}|il y a .{1,20}|hace .{1,20}|(today|yesterday|heute|gestern|hier|ayer|hoy|aujourd'hui)\b.{0,24})\W*$/i;
const DAY = /^\W*((?:conversation|chat) (?:started|begun)(?: on)?:? )?((mon|tues|wednes|thurs|fri|satur|sun)day|(mon|diens|donners|frei|sams|sonn)tag|mittwoch|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo)?[ ,]*(\d{1,4}[./ -]+(\d{1,2}|\p{L}{3,10})([./ ,-]+\d{2,4})?|\p{L}{3,10} \d{1,2}(, \d{4})?|today|yesterday|heute|gestern|aujourd'hui|hier|hoy|ayer|new messages?)?\W*$/iu;
const DELIVERY = /^\W*(sent|sending…?|sending|delivered|read|seen|not delivered|gesendet|zugestellt|gelesen|envoyé|distribué|lu|vu|enviado|entregado|leído|visto|✓+|✔+)\W*$/i;
const NAMES = ['author', 'sender', 'username', 'nick', 'nickname', 'displayname'];
const isName = element => { const set = tokens(words(element)); return hasAny(set, NAMES) || (set.has('name') && !set.has('file'))
  || (set.has('from') && set.size < 4) || element.getAttribute('itemprop') === 'name'; };
const SYSTEM = ['system', 'notice', 'notification', 'event', 'announcement', 'activity', 'divider', 'separator'];
const OURS = ['visitor', 'customer', 'client', 'me', 'mine', 'self', 'own', 'outgoing', 'user', 'guest', 'out', 'outbound', 'right', 'you'];
const THEIRS = ['agent', 'bot', 'operator', 'incoming', 'received', 'assistant', 'them', 'left', 'staff', 'in', 'inbound', 'support', 'admin', 'ai', 'virtual', 'system', 'other'];
const ROLES = ['bot', 'chatbot', 'robot', 'assistant', 'virtual', 'ai', 'automated', 'agent', 'operator', 'human', 'staff', 'representative'];
const TYPING = /\b(is|are|am) (typing|writing|thinking)|typing…|typing\.\.\.|^typing$|schreibt|tippt|en train d'écrire|écrit…|est en train|está escribiendo|escribiendo|composing/i;
const TYPING_WORDS = ['typing', 'composing', 'dots', 'writing', 'ellipsis', 'loader'];
const MESSAGE_PARTS = ['header', 'body', 'text', 'content', 'footer', 'meta', 'time', 'timestamp', 'avatar', 'author', 'sender', 'name', 'status', 'info', 'actions', 'options', 'icon'];
const messageLike = element => !hasAny(tokens(words(element)), MESSAGE_PARTS) && hasAny(tokens(words(element)), ['message', 'msg', 'bubble', 'entry', 'turn', 'utterance', 'chatmessage'])
  || ['listitem', 'article'].includes(element.getAttribute('role')) || element.localName === 'li' || element.localName === 'article';
const holdsMessages = element => messageLike(element) || everything(element).some(messageLike);
const sign = element => `${element.localName}.${typeof element.className === 'string' ? element.className : ''}`;
const isLeaf = element => !kids(element).some(one => !INLINE.has(style(one).display));

const isTyping = element => {
  if (cfg.parts.typing) return element.matches(cfg.parts.typing) && seen(element);
  if (!seen(element)) return false;
  const set = tokens(words(element)), text = say(element);
  if (text.length > 80) return false;
  if (TYPING.test(text) || TYPING.test(element.getAttribute('aria-label') ?? '')) return true;
  if (text && !/^[.…•·●\s]+$/.test(text)) return false;
  if (hasAny(set, TYPING_WORDS)) return true;
  if (/^[.…•·●\s]+$/.test(text) && text) return true;
  const empty = everything(element).filter(one => one !== element && !kids(one).length);
  return !text && empty.length >= 3 && empty.some(one => one.getAnimations?.().length || style(one).animationName !== 'none');
};
const container = log => {
  let at = log;
  for (let depth = 0; depth < 8; depth++) {
    const below = kids(at).filter(one => !SKIPPED.has(one.localName) && (say(one) || isTyping(one)));
    if (below.length !== 1 || messageLike(below[0])) return at;
    const deeper = kids(below[0]).filter(one => say(one));
    const alike = deeper.length >= 2 && new Set(deeper.map(one => one.localName)).size === 1 && !deeper.some(one => isName(one) || one.localName === 'time' || INLINE.has(style(one).display))
      && !deeper.some(one => TIME.test(say(one)));
    if (!(alike || deeper.some(holdsMessages) || (deeper.length === 1 && kids(deeper[0]).length > 1 && !isLeaf(below[0])))) return at;
    at = below[0];
  }
  return at;
};
const bubbles = (element, depth = 0) => {
  const below = kids(element).filter(one => !SKIPPED.has(one.localName) && say(one));
  const real = below.filter(one => !isName(one) && one.localName !== 'time' && !TIME.test(say(one)) && !DELIVERY.test(say(one)));
  const inner = real.filter(one => messageLike(one) && !INLINE.has(style(one).display));
  if (inner.length >= 2 && new Set(inner.map(sign)).size <= 2) return inner.flatMap(one => expand(one));
  const holders = real.filter(holdsMessages);
  if (holders.length >= 2 && holders.length === real.length && new Set(holders.map(sign)).size === 1) return holders.flatMap(one => expand(one));
  const groups = Map.groupBy ? Map.groupBy(real, sign) : new Map();
  for (const [name, same] of groups) if (same.length >= 2 && name !== 'p.' && name !== 'li.' && name !== 'span.' && same.every(one => typeof one.className === 'string' && one.className && !INLINE.has(style(one).display))
    && !same.some(one => one.localName === 'button' || one.getAttribute('role') === 'button')) return same;
  if (depth < 4) for (const one of real) { const found = bubbles(one, depth + 1); if (found.length) return found; }
  return [];
};
const expand = element => { const found = bubbles(element); return found.length >= 2 ? found : [element]; };

const isBadge = element => hasAny(tokens(words(element)), ['role', 'badge', 'tag', 'jobtitle', 'usertype', 'authortype']) && say(element) && say(element).length <= 40;
const bareOf = element => say(element, new Set(everything(element).filter(one => one !== element && isBadge(one)))) || say(element);
const authorOf = (element, left) => {
  const parts = everything(element).filter(one => one !== element);
  const named = cfg.parts.author ? select(cfg.parts.author, element)[0] : parts.find(one => isName(one) && say(one) && say(one).length <= 60 && say(one).split('\n').length === 1);
  if (named) { left.add(named); return bareOf(named).replace(/\s*:$/, '') || label(named) || null; }
  for (const one of [element, ...parts]) for (const name of ['data-author', 'data-sender', 'data-author-name', 'data-sender-name', 'data-name', 'data-from', 'data-user', 'data-username']) {
    const value = one.getAttribute(name);
    if (value && value.length <= 60 && !/^[\d-]+$/.test(value)) return value;
  }
  const spoken = (element.getAttribute('aria-label') ?? '').match(/^(?:message from )?(.{1,40}?)(?: said| says| wrote| sagte?| schrieb| a (?:dit|écrit)| dijo|:| at \d)/i);
  if (spoken) return spoken[1].trim();
  const bold = parts.find(one => ['b', 'strong', 'h3', 'h4', 'h5', 'h6', 'cite', 'figcaption', 'header', 'dt'].includes(one.localName) && say(one) && say(one).length <= 60);
  if (bold) { const text = say(bold), all = say(element);
    if (all.startsWith(text) && all.length > text.length && (/:$/.test(text) || !INLINE.has(style(bold).display) || all[text.length] === '\n')) { left.add(bold); return text.split('\n')[0].replace(/\s*:$/, ''); } }
  const leaves = parts.filter(one => isLeaf(one) && say(one) && !left.has(one) && !(parent(one) && isLeaf(parent(one)) && parent(one) !== element));
  if (leaves.length >= 2) { const first = leaves[0], rest = leaves[1], text = bareOf(first);
    if (box(first).bottom <= box(rest).top + 3 && text.length <= 40 && !/[?!…]$|[.]$/.test(text) && !TIME.test(text) && (parseFloat(style(first).fontSize) < parseFloat(style(rest).fontSize) || parseInt(style(first).fontWeight) > parseInt(style(rest).fontWeight))) { left.add(first); return text; } }
  const face = parts.find(one => one.localName === 'img' && one.alt && one.alt.length <= 40 && /[\p{L}]{2}/u.test(one.alt) && !/avatar|profile|photo|picture|image|icon|logo|emoji/i.test(one.alt));
  return face ? face.alt : null;
};
const roleOf = (element, author, left) => {
  if (cfg.parts.role) { const found = select(cfg.parts.role, element)[0]; if (found) { left.add(found); return say(found) || null; } return null; }
  const badge = everything(element).find(one => one !== element && isBadge(one));
  if (badge) { left.add(badge); return say(badge); }
  for (let at = element, up = 0; at && up < 3 && at !== state.list; at = parent(at), up++) {
    for (const name of ['data-author-type', 'data-sender-type', 'data-role', 'data-type', 'data-participant', 'data-author-role', 'data-message-author-role', 'data-kind']) {
      const value = at.getAttribute(name); if (value && value.length <= 40) return 'markup:' + value;
    }
    const found = ROLES.find(word => tokens(words(at)).has(word)); if (found) return 'markup:' + found;
  }
  return null;
};
const sideOf = element => {
  if (cfg.parts.ours) return element.matches(cfg.parts.ours) || !!select(cfg.parts.ours, element).length || !!element.closest(cfg.parts.ours);
  for (let at = element, up = 0; at && up < 4 && at !== state.list; at = parent(at), up++) {
    const all = tokens(`${words(at)} ${at.getAttribute('data-role') ?? ''} ${at.getAttribute('data-author-type') ?? ''} ${at.getAttribute('data-sender') ?? ''} ${at.getAttribute('data-message-author-role') ?? ''} ${at.getAttribute('data-sender-type') ?? ''}`);
    const ours = hasAny(all, OURS), theirs = hasAny(all, THEIRS);
    if (ours !== theirs) return ours;
  }
  return null;
};
const isNotice = element => cfg.parts.notices ? element.matches(cfg.parts.notices) || !!element.closest(cfg.parts.notices)
  : hasAny(tokens(words(element)), SYSTEM) || ['status', 'alert', 'note', 'separator'].includes(element.getAttribute('role'));
const read = (element, group) => {
  const left = new Set(), parts = everything(element).filter(one => one !== element);
  let time = cfg.parts.time ? select(cfg.parts.time, element)[0] : parts.find(one => one.localName === 'time');
  time ??= parts.find(one => isLeaf(one) && TIME.test(say(one)) && say(one).length <= 30) ?? parts.find(one => hasAny(tokens(words(one)), ['time', 'timestamp']) && say(one) && say(one).length <= 40);
  if (time) left.add(time);
  for (const one of parts) if (isLeaf(one) && say(one).length <= 20 && DELIVERY.test(say(one)) && one !== element) left.add(one);
  for (const one of parts) if (one.localName === 'button' || one.getAttribute('role') === 'button') left.add(one);
  if (cfg.parts.drop) for (const one of select(cfg.parts.drop, element)) left.add(one);
  const notice = isNotice(element);
  let author = notice ? null : authorOf(element, left), role = notice ? null : roleOf(element, author, left);
  if (group && !notice) {
    const outside = new Set([...left]);
    for (const one of expand(group)) outside.add(one);
    author ??= authorOfGroup(group, outside);
  }
  const source = cfg.parts.text ? select(cfg.parts.text, element)[0] ?? element : element;
  const when = time ? (time.getAttribute('datetime') || time.getAttribute('title') || say(time)) : null;
  let text = say(source, left);
  if (author && text.startsWith(author)) text = text.slice(author.length).replace(/^\s*:?\s*/, '') || text;
  return { node: nodeId(element), text, author, role, time: when, ours: sideOf(element), notice };
};
const authorOfGroup = (group, outside) => {
  const named = everything(group).find(one => one !== group && !outside.has(one) && ![...outside].some(other => within(one, other)) && isName(one) && say(one) && say(one).length <= 60);
  if (named) return say(named).replace(/\s*:$/, '');
  const first = kids(group).find(one => !outside.has(one) && ![...outside].some(other => within(other, one)) && say(one) && say(one).length <= 40 && !TIME.test(say(one)));
  return first ? say(first).split('\n')[0] : null;
};
const items = log => {
  state.list = container(log);
  const found = [];
  const rows = cfg.parts.items ? select(cfg.parts.items, log) : kids(state.list);
  for (const row of rows.slice(-MOST_ITEMS)) {
    if (SKIPPED.has(row.localName) || isTyping(row) || style(row).display === 'none') continue;
    const text = say(row);
    if (!text || DAY.test(text) || (TIME.test(text) && !messageLike(row))) continue;
    const several = cfg.parts.items ? [row] : expand(row);
    for (const one of several) { const item = read(one, several.length > 1 ? row : null); if (item.text) found.push(item); }
  }
  return found.slice(-MOST_ITEMS);
};

// --- what else the chat says ---
const loose = (root, log, input) => {
  if (cfg.parts.queue) return select(cfg.parts.queue).filter(seen).map(element => say(element)).filter(Boolean).slice(0, MOST_LOOSE);
  const found = [];
  for (const element of everything(root)) {
    if (found.length >= MOST_LOOSE) break;
    if (element === root || within(element, log) || (input && within(element, input)) || !isLeaf(element) || !seen(element)) continue;
    if (['button', 'a', 'option', 'select', 'textarea', 'input', 'label'].includes(element.localName)) continue;
    const text = say(element);
    if (text && text.length <= 300 && !isTyping(element) && !(parent(element) && isLeaf(parent(element)) && parent(element) !== root)) found.push(text);
  }
  return found;
};
const NO_CHOICE = /^(send|senden|envoyer|enviar|close|minimi[sz]e|end chat|end|menu|emoji|attach|upload|×|x|✕|back|options|more|restart|copy|like|dislike|👍|👎|schließen|fermer|cerrar|settings|download|print|mute)$/i;
const choiceElements = (root, log, input) => {
  if (cfg.parts.choices) return select(cfg.parts.choices).filter(seen);
  const top = box(log).top - 2;
  return select('button,[role=button],[role=option],[role=menuitem],input[type=button],a[href="#"],a[role=button]', root)
    .filter(element => seen(element) && !element.disabled && (within(element, log) || box(element).top >= top) && (element.value || say(element)).length <= 80
      && (element.value || say(element)).length >= 1 && !NO_CHOICE.test((say(element) || element.value).trim()) && element !== sendButton(root, input));
};
const sendButton = (root, input) => {
  if (cfg.parts.send) return select(cfg.parts.send).find(seen) ?? null;
  if (!input) return null;
  const near = select('button,[role=button],input[type=submit],input[type=image],input[type=button]', root).filter(seen).map(element => {
    const about = `${label(element)} ${say(element)} ${element.value ?? ''}`, all = tokens(words(element));
    let score = /\b(send|submit|senden|absenden|envoyer|enviar)\b|➤|➔|✈|↑/i.test(about) ? 5 : 0;
    if (hasAny(all, ['send', 'submit'])) score += 4;
    if (element.type === 'submit' && outerForm(element) && outerForm(element) === outerForm(input)) score += 3;
    if (/attach|file|emoji|voice|close|end|transcript|feedback|rating|e-?mail/i.test(about)) score -= 5;
    return [score, element]; }).filter(([score]) => score >= 3);
  return near.length ? near.reduce((best, one) => one[0] > best[0] ? one : best)[1] : null;
};

const place = () => {
  // Where things are is looked for anew only now and then: pages can be large.
  if (state.log?.isConnected && seen(state.log) && state.input?.isConnected && seen(state.input) && ++state.used < 25)
    return { input: state.input, log: state.log, root: state.root };
  const input = findInput();
  state.input = input, state.used = 0;
  let log = findLog(input);
  if (!log && state.log?.isConnected && seen(state.log)) log = state.log;
  if (log) { state.log = log; state.root = findRoot(input, log); }
  return { input, log, root: log ? state.root : null };
};
const snapshot = () => {
  const { input, log, root } = place();
  if (!log) return { there: false, input: !!input, enabled: isEnabled(input) };
  const typing = everything(root).find(element => isTyping(element) && !kids(element).some(isTyping));
  const who = typing ? (say(typing) || typing.getAttribute('aria-label') || '').match(/^(.{1,40}?) (?:is typing|is writing|is thinking|schreibt|tippt|est en train|écrit|está escribiendo)/i) : null;
  return {
    there: true, input: !!input, enabled: isEnabled(input), items: items(log), typing: typing ? { author: who ? who[1].trim() : null } : null,
    loose: loose(root, log, input), choices: choiceElements(root, log, input).map(element => (say(element) || element.value).trim()).slice(0, 40),
  };
};
const held = element => element ? (element.isContentEditable ? say(element) : element.value ?? say(element)) : null;
const sender = () => { const { input, root } = place(); return input ? sendButton(root ?? document.body, input) : null; };
const choice = name => {
  const { input, log, root } = place();
  if (!log) return null;
  const bare = text => (text ?? '').replace(/\s+/g, ' ').trim().toLowerCase(), wanted = bare(name);
  const nameOf = element => bare(say(element) || element.value || label(element)), offered = choiceElements(root, log, input);
  for (const fits of [nameOf, element => nameOf(element).includes(wanted) ? wanted : ''].map(of => offered.filter(one => of(one) === wanted)))
    if (fits.length) return fits[fits.length - 1];
  const other = everything(log).filter(one => bare(say(one)) === wanted && style(one).cursor === 'pointer');
  return other.length ? other[other.length - 1] : null;
};
