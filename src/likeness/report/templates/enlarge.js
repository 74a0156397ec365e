// A picture that is clicked, or chosen with the Enter key, is shown large with its words.
const dialog = document.createElement("dialog"), large = document.createElement("img"), words = document.createElement("p");
dialog.append(large, words);
document.body.append(dialog);
const enlarge = image => { large.src = image.src; large.alt = words.textContent = image.alt; dialog.showModal(); };
for (const image of document.querySelectorAll("figure img")) {
  image.tabIndex = 0;
  image.addEventListener("click", () => enlarge(image));
  image.addEventListener("keydown", event => { if (event.key === "Enter") enlarge(image); });
}
dialog.addEventListener("click", () => dialog.close());
