// Okabe and Ito's colours, in loupe's order: told apart with every common colour vision.
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442"];
const DARK_INK = "#1b1a17";

export interface Ink { line: string; text: string } // the colour, and what can be read on it

export function inkOf(number: number): Ink {
  const line = PALETTE[(number - 1) % PALETTE.length];
  return { line, text: contrast(line, "#ffffff") >= 4.5 ? "#ffffff" : DARK_INK };
}

export function rgba(hex: string, alpha: number): string {
  return `rgba(${channels(hex).join(",")},${alpha})`;
}

const channels = (hex: string) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function luminance(hex: string): number {
  const [r, g, b] = channels(hex).map((v) => {
    const c = v / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((p, q) => p - q);
  return (high + 0.05) / (low + 0.05);
}
