import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  plugins: [react(), tailwindcss()],
  build: {
    // WebKitGTK 2.44 and newer: what Debian 12 and Ubuntu 22.04 carry.
    target: "safari17.5",
    // The content policy allows our own files only, no data: addresses.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1_000,
    // For pictures of the pages over fixed data: scripts/screenshots.
    ...(mode === "stage" && { rolldownOptions: { input: "stage.html" } }),
  },
  // Fixed data reads the schema and the templates, which lie beside this folder.
  server: { fs: { allow: [".."] } },
  test: { environment: "jsdom", testTimeout: 60_000, include: ["src/**/*.test.{ts,tsx}"], setupFiles: ["src/testing/setup.ts"] },
}));
