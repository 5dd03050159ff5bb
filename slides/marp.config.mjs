// How decks become pages; marp-cli reads it, and so does pages.mjs.

// No pictures of emoji, no formulas: both would be fetched from the network while somebody watches.
export const options = {
  html: false,
  math: false,
  emoji: { shortcode: false, unicode: false },
};

// `id` names a slide for people and tests; without this line it would become a speaker note.
export const prepare = (marp) => {
  marp.customDirectives.local.id = () => ({});
  return marp;
};

export default {
  allowLocalFiles: true,
  html: false,
  themeSet: "./theme/jimoto.css",
  options,
  engine: ({ marp }) => prepare(marp),
};
