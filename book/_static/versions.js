// A published site has one book per version, and a list of them above: offer the others.  Offline there is nothing to offer.
document.addEventListener("DOMContentLoaded", async () => {
  const root = document.documentElement.dataset.content_root;
  if (!location.protocol.startsWith("http") || root === undefined) return;
  const home = new URL(root, location.href);
  const answer = await fetch(new URL("../versions.json", home)).catch(() => null);
  if (!answer || !answer.ok) return;
  const versions = await answer.json();
  const here = home.pathname.split("/").at(-2);
  if (versions.length < 2 || !versions.includes(here)) return;
  const label = document.createElement("label");
  label.className = "lossbook-versions";
  label.textContent = "Version ";
  const choice = document.createElement("select");
  for (const version of versions) choice.add(new Option(version, version, false, version === here));
  choice.addEventListener("change", async () => {
    const page = new URL(`../${choice.value}/${location.pathname.slice(home.pathname.length)}`, home);
    const there = await fetch(page, { method: "HEAD" }).catch(() => null);
    location.href = there && there.ok ? page : new URL(`../${choice.value}/`, home);
  });
  label.append(choice);
  document.querySelector(".sidebar-primary-items__start")?.prepend(label);
});
