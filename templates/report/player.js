document.addEventListener("click", function (event) {
  var button = event.target.closest("button[data-second]");
  if (!button) return;
  var audio = document.getElementById(button.dataset.audio);
  var second = Number(button.dataset.second);
  function go() { audio.currentTime = second; audio.play(); }
  if (audio.readyState >= 1) { go(); return; }
  audio.addEventListener("loadedmetadata", go, { once: true });
  audio.preload = "metadata";
  audio.load();
});
