const show = (id, text) => { document.getElementById(id).textContent = text; };

const stream = new EventSource('/stream');
stream.onmessage = (event) => { const { number, time } = JSON.parse(event.data); show('stream', `event ${number} at ${time} UTC`); };

const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/socket`);
const button = document.getElementById('say');
socket.onopen = () => { show('socket', 'connected'); button.disabled = false; };
socket.onmessage = (event) => show('socket', `the website answered: ${event.data}`);
socket.onclose = () => { show('socket', 'closed'); button.disabled = true; };
button.onclick = () => socket.send('hello');

document.getElementById('file').onchange = async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  show('upload', 'sending');
  const answer = await fetch('/upload', { method: 'POST', body: file });
  const { bytes, sha256 } = await answer.json();
  show('upload', `${bytes} bytes arrived, SHA-256 ${sha256.slice(0, 16)}`);
};
