// The other side of every test page: a bot, a queue, a person. Tells the server the true moment of all that it shows.
// A page gives it `face`: how its own markup shows a message, a notice, typing, buttons, a text that grows, the end.
const truth = (kind, more = {}) => { const fact = { kind, at_ms: Date.now(), ...more };
  (window.facts ??= []).push(fact);
  fetch(new URL('/truth', document.baseURI), { method: 'POST', body: JSON.stringify(fact), keepalive: true }).catch(() => {}); };
const pause = ms => new Promise(done => setTimeout(done, ms));
class Brain {
  constructor(face, pace = Number(new URLSearchParams(location.search).get('pace') ?? 1)) { this.face = face; this.pace = pace; this.asked = 0; this.chain = Promise.resolve(); truth('opened'); this.then(() => this.greet()); }
  then(what) { this.chain = this.chain.then(what); }
  wait(ms) { return pause(ms * this.pace); }
  async bot(text, buttons) { this.face.typing('Mia'); truth('typing'); await this.wait(500); this.face.typing(null);
    this.face.message({ side: 'bot', author: 'Mia', text }); truth('message', { by: 'bot', text }); if (buttons) this.face.buttons(buttons); }
  async notice(text) { this.face.notice(text); truth('notice', { text }); }
  async greet() { await this.wait(300); await this.bot('Hello! I am Mia, the virtual assistant. How can I help you today?', ['Billing', 'Something else']); }
  heard(text) { truth('heard', { text }); this.asked++; const turn = this.asked;
    this.then(async () => {
      if (/person|human|someone/i.test(text)) return this.person();
      if (this.dana) { await this.wait(700); return this.danaSays('Thank you, I have corrected it. You will get the new invoice by tomorrow noon.', true); }
      await this.wait(400);
      await this.bot(turn === 1 ? 'I found three articles about invoices. Did that help?' : 'Sorry, I did not understand that.');
    }); }
  async person() {
    await this.notice('You are number 2 in the queue. Estimated wait: about 2 minutes.'); await this.wait(1500);
    await this.notice('You are number 1 in the queue.'); await this.wait(1500);
    this.dana = true; await this.notice('Dana has joined the chat'); this.face.joined?.('Dana'); await this.wait(600);
    await this.danaSays('Hi, this is Dana from billing. Which invoice is it about?');
  }
  async danaSays(text, last) {
    this.face.typing('Dana'); truth('typing'); await this.wait(800); this.face.typing(null);
    const grow = this.face.message({ side: 'agent', author: 'Dana', text: this.face.streams ? '' : text });
    if (this.face.streams) { const words = text.split(' ');
      for (let n = 1; n <= words.length; n++) { grow(words.slice(0, n).join(' ')); if (n === 1) truth('message', { by: 'agent', text, streamed: true }); await this.wait(60); }
      truth('whole', { text }); } else truth('message', { by: 'agent', text });
    if (last) { await this.wait(2500); await this.notice('Dana has ended the chat'); this.face.ended?.(); truth('ended'); }
  }
}
