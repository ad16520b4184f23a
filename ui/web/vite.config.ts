// How the pages are built. One HTML entry per audience, so that a guest never downloads the office; every script and style is a
// file of its own (the server sends a content policy without `unsafe-inline`), hashed, under /assets.
import { createHash } from 'node:crypto';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** Tells the service worker which files the ticket page needs, so that it can keep them for the hours without a network. */
function ticketShell(): Plugin {
  return {
    name: 'turnstone-ticket-shell',
    enforce: 'post',
    generateBundle(_options, bundle) {
      const files = new Set<string>();
      const follow = (fileName: string) => {
        const chunk = bundle[fileName];
        if (files.has(fileName) || chunk?.type !== 'chunk') return;
        files.add(fileName);
        for (const css of chunk.viteMetadata?.importedCss ?? []) files.add(css);
        for (const asset of chunk.viteMetadata?.importedAssets ?? []) files.add(asset);
        chunk.imports.forEach(follow);
      };
      const html = bundle['t.html'];
      const entry = Object.values(bundle).find((file) => file.type === 'chunk' && file.isEntry && file.name === 't');
      const worker = bundle['sw.js'];
      if (html?.type !== 'asset' || !entry || worker?.type !== 'chunk') throw new Error('the ticket page or its worker is missing from the build');
      follow(entry.fileName);
      for (const name of Object.keys(bundle)) {
        // The page's own marks, and the one font file that English and German need. Others are kept when first used.
        if (/mark-.*\.svg$/.test(name) || /hyperlegible-next-latin-wght-normal-.*\.woff2$/.test(name)) files.add(name);
      }
      const list = ['/t', ...[...files].sort().map((file) => `/${file}`)];
      const version = createHash('sha256').update(String(html.source)).update(list.join('\n')).digest('hex').slice(0, 12);
      worker.code = worker.code.replace(/["'`]__SHELL__["'`]/, () => JSON.stringify({ version, files: list }));
      if (worker.code.includes('__SHELL__') || worker.imports.length > 0) throw new Error('the service worker must be one file that knows its shell');
    },
  };
}

export default defineConfig({
  base: '/',
  plugins: [svelte(), ticketShell()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    modulePreload: { polyfill: false },
    target: ['chrome111', 'firefox114', 'safari16.4'],
    rolldownOptions: {
      input: { index: 'index.html', t: 't.html', office: 'office.html', sw: 'src/sw/sw.ts' },
      output: { entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
});
