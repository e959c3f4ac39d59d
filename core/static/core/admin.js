// The account switcher: choosing is enough.
"use strict";

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});

// unfold opens its menus by a click on a plain element. Made buttons, they can be reached and pressed from the keyboard, too.
document.addEventListener("DOMContentLoaded", () => {
  const called = document.querySelector("template[data-icons]")?.dataset || {};
  for (const one of document.querySelectorAll("[x-on\\:click]:is(div.cursor-pointer, span.material-symbols-outlined, a:not([href]))")) {
    one.setAttribute("role", "button");
    one.tabIndex = 0;
    const name = called[one.textContent.trim()];
    if (name) one.setAttribute("aria-label", name);
  }
});

document.addEventListener("keydown", (event) => {
  if (["Enter", " "].includes(event.key) && event.target.matches("[x-on\\:click][role=button]")) {
    event.preventDefault();
    event.target.click();
  }
  if (event.key !== "Escape") return;
  // The menu of the user closes on any click beside it; that of a small window has a button for it.
  const opener = event.target.closest("[x-data*=openUserLinks]")?.querySelector(":scope > [role=button]");
  document.body.click();
  opener?.focus();
  const close = document.querySelector("#nav-sidebar [x-on\\:click*=sidebarMobileOpen]");
  if (close?.checkVisibility()) close.click();
});
