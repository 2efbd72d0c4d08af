// all of: live.js drafts.js keys.js attention.js
