// a region and its chip light up together; a click keeps them lit; the legend shows or hides a kind
const lit = (card, id, on) => {
  card.querySelectorAll(`[data-r="${id}"]`).forEach(e => e.classList.toggle("on", on));
  card.classList.toggle("dim", !!card.querySelector(".on"));
};
document.querySelectorAll(".card").forEach(card => {
  let kept = null;
  card.querySelectorAll("[data-r]").forEach(e => {
    const id = e.dataset.r;
    e.addEventListener("mouseenter", () => lit(card, id, true));
    e.addEventListener("mouseleave", () => kept !== id && lit(card, id, false));
    e.addEventListener("focus", () => lit(card, id, true));
    e.addEventListener("blur", () => kept !== id && lit(card, id, false));
    e.addEventListener("click", () => {
      if (kept && kept !== id) lit(card, kept, false);
      kept = kept === id ? null : id;
      lit(card, id, kept === id);
    });
  });
});
document.querySelectorAll(".toggle").forEach(b => b.addEventListener("click", () => {
  const shown = b.getAttribute("aria-pressed") === "true";
  b.setAttribute("aria-pressed", String(!shown));
  document.body.classList.toggle("no-" + b.dataset.kind, shown);
}));
