// Finds on one frame what leads to a chat: what lies over the page, the launcher, the form before the chat.
const CLICKS = 'button,a[href],[role=button],input[type=button],input[type=submit],[tabindex]:not([tabindex="-1"]),[onclick]';
const about = element => `${label(element)} ${element.value ?? ''} ${say(element).slice(0, 200)}`.trim();
const isFixed = element => { for (let at = element, up = 0; at && up < 5; at = parent(at), up++) if (style(at).position === 'fixed') return true; return false; };

const CONSENT = /cookie|consent|privacy|datenschutz|einwilligung|confidentialité|traceurs|privacidad/i;
const REFUSE = /^(reject|refuse|decline|deny|only (the )?(necessary|essential|required)|(necessary|essential|required)( cookies)? only|use necessary|continue without|ablehnen|alle ablehnen|nur (notwendige|erforderliche|essenzielle)|tout refuser|refuser|continuer sans|rechazar|solo (necesarias|esenciales))/i;
const ACCEPT = /^(accept|allow|agree|i agree|ok|okay|got it|understood|i understand|continue|alle akzeptieren|akzeptieren|zustimmen|verstanden|einverstanden|tout accepter|accepter|j'accepte|d'accord|aceptar|entendido|de acuerdo|close|dismiss)\b/i;
const consentButton = () => {
  for (const wanted of [REFUSE, ACCEPT])
    for (const element of select('button,[role=button],a,input[type=button],input[type=submit]').filter(seen)) {
      const text = (say(element) || element.value || label(element)).trim();
      if (!wanted.test(text) || text.length > 60) continue;
      for (let at = parent(element), up = 0; at && up < 8 && at !== document.body; at = parent(at), up++)
        if (CONSENT.test(say(at).slice(0, 3000)) && say(at).length < 6000 && (isFixed(at) || /dialog|banner|alert/.test(at.getAttribute('role') ?? '') || /cookie|consent|gdpr|privacy/i.test(words(at)))) return element;
    }
  return null;
};

const CHAT = /\b(live ?-?chat|web ?-?chat|chat|messenger|chatten|chatear|clavarder|discuter)\b/i;
const TALK = /message us|talk to us|talk with|speak (to|with)|ask us|need help|contact support|get help|hilfe|nachricht|beratung|besoin d'aide|contactez|ayuda|hablar|support/i;
const OPENERS = ['launcher', 'launch', 'bubble', 'widget', 'fab', 'opener', 'toggle', 'trigger'];
// Many a launcher is a plain box that only its pointer gives away.
const looksClickable = element => element.matches(CLICKS)
  || (hasAny(tokens(words(element)), ['chat', 'livechat', 'messenger', ...OPENERS]) && style(element).cursor === 'pointer');
const launcher = () => {
  if (cfg.parts.launcher) return select(cfg.parts.launcher).find(seen) ?? null;
  const small = window.top !== window && innerWidth < 420 && innerHeight < 260;
  const scored = [];
  for (const element of everything().filter(one => looksClickable(one) && seen(one))) {
    const text = about(element), all = tokens(words(element)), at = box(element);
    if (text.length > 160 || at.width > 600) continue;
    let score = CHAT.test(text) ? 6 : TALK.test(text) ? 3 : 0;
    if (hasAny(all, ['chat', 'livechat', 'chatbot', 'messenger'])) score += 4;
    if (hasAny(all, OPENERS)) score += 3;
    if (isFixed(element)) score += 3;
    if (small) score += 5;
    if (at.right > innerWidth * 0.7 && at.bottom > innerHeight * 0.6) score += 1;
    if (/close|minimi[sz]e|end chat|privacy|cookie|terms|schließen|blog|policy|transcript/i.test(text)) score -= 8;
    const href = element.localName === 'a' ? element.getAttribute('href') ?? '' : '';
    if (/^(mailto|tel):/.test(href)) score -= 9; else if (href && !href.startsWith('#') && !href.startsWith('javascript:')) score -= 1;
    if (score >= 5) scored.push([score, element]);
  }
  return scored.length ? scored.reduce((best, one) => one[0] > best[0] ? one : best) : null;
};
const launcherScore = () => { const found = launcher(); return found ? (Array.isArray(found) ? found[0] : 100) : 0; };
const launcherElement = () => { const found = launcher(); return Array.isArray(found) ? found[1] : found; };

const KINDS = [
  ['email', /e-?mail|courriel|correo/i], ['phone', /phone|telefon|mobile|téléphone|teléfono/i], ['account', /account|customer (no|number|id)|kundennummer|numéro client|número de cliente|order (no|number|id)/i],
  ['first_name', /first ?name|vorname|prénom|given/i], ['last_name', /last ?name|surname|nachname|family/i],
  ['name', /name|nombre|nom\b|who are you/i], ['topic', /subject|topic|betreff|thema|sujet|asunto|reason|department|category|anliegen/i],
  ['question', /question|message|help|problem|describe|frage|nachricht|beschreib|décrivez|pregunta|describa|issue|how can we/i],
];
const START = /start|begin|chat|continue|next|submit|send|connect|go|weiter|starten|beginnen|absenden|démarrer|commencer|continuer|envoyer|iniciar|empezar|comenzar|enviar|continuar/i;
const kindOf = element => {
  if (element.type === 'email') return 'email';
  if (element.type === 'tel') return 'phone';
  if (element.type === 'checkbox') return 'consent';
  if (element.type === 'radio') return 'radio';
  const hint = `${element.autocomplete ?? ''} ${element.name ?? ''} ${element.id ?? ''} ${label(element)} ${element.labels?.length ? '' : say(parent(element) ?? element).slice(0, 60)}`;
  for (const [kind, pattern] of KINDS) if (pattern.test(hint)) return kind;
  return element.localName === 'select' ? 'topic' : element.localName === 'textarea' ? 'question' : 'other';
};
const startForm = () => {
  const open = fields(document.body).filter(one => !within(one, place().log ?? null));
  const usable = open.filter(one => !['password', 'search', 'radio'].includes(one.type));
  if (!usable.length) return null;
  for (const first of usable) {
    for (let around = parent(first), up = 0; around && up < 10; around = parent(around), up++) {
      const button = select('button,input[type=submit],input[type=button],[role=button]', around).filter(seen)
        .find(one => START.test(`${say(one)} ${one.value ?? ''} ${label(one)}`) && !/close|minimi|back|cancel|cookie/i.test(about(one)));
      if (!button) continue;
      const mine = usable.filter(one => within(one, around));
      const wanted = mine.some(one => ['email', 'name', 'first_name', 'question', 'topic'].includes(kindOf(one)));
      const chatty = window.top !== window || isFixed(around) || CHAT.test(say(around).slice(0, 2000)) || CHAT.test(words(around)) || CHAT.test(document.title);
      if (wanted && chatty && !/newsletter|subscribe|abonn/i.test(say(around).slice(0, 500))) return { mine, button };
      break;
    }
  }
  return null;
};
const formFields = () => startForm()?.mine.map((one, index) => ({ index, kind: kindOf(one), tag: one.localName, value: one.type === 'checkbox' ? (one.checked ? 'on' : '') : one.value,
  required: one.required || one.getAttribute('aria-required') === 'true', options: one.localName === 'select' ? [...one.options].map(option => [option.value, option.label.trim(), option.disabled]) : [] })) ?? null;
const formField = index => startForm()?.mine[index] ?? null;
const formButton = () => startForm()?.button ?? null;
