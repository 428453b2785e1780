import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** The page as one module and one style sheet, for notebooks. */
export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "../src/chainrule/playground/static/widget",
    emptyOutDir: true,
    target: "es2022",
    lib: { entry: "src/widget.ts", formats: ["es"], fileName: () => "widget.js", cssFileName: "widget" },
  },
});
