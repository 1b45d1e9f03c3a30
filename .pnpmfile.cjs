'use strict';
// `@rpal/source` leads to files that are not published: only the workspace has it.
module.exports = {
  hooks: {
    beforePacking: function (manifest) {
      var main = manifest.exports && manifest.exports['.'];
      if (main) delete main['@rpal/source'];
      return manifest;
    },
  },
};
