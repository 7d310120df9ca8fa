/* What the theme and Sphinx do not say to a reader who listens: what the switches of the sidebar unfold, that the sidebar is a part of
 * the page of its own, and that the lines of a long signature are no list of definitions; the references get a role that is not deprecated.
 * Without this script all of it is there, unnamed. */
document.addEventListener("DOMContentLoaded", () => {
  const sidebar = document.getElementById("pst-primary-sidebar");
  sidebar?.setAttribute("role", "region");
  sidebar?.setAttribute("aria-label", "The book");
  for (const summary of document.querySelectorAll(".bd-sidenav summary")) {
    const chapter = summary.parentElement.previousElementSibling.textContent.trim();
    summary.setAttribute("aria-label", `Pages after ${chapter}`);
  }
  for (const source of document.querySelectorAll(".citation-list > [role=doc-biblioentry]")) source.setAttribute("role", "listitem");
  const block = (name, nodes) => {
    const made = document.createElement("div");
    made.className = name;
    made.append(...nodes);
    return made;
  };
  for (const list of document.querySelectorAll("dt.sig > dl")) {
    list.replaceWith(block("sig-lines", [...list.children].map((line) => block("sig-line", line.childNodes))));
  }
});
