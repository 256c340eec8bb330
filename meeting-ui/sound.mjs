// The sound behind "Play Test Sound": the original is fetched from its publisher's host, ours is made here.
const rate = 16000;
const notes = [523.25, 659.26, 783.99]; // C, E, G
const seconds = 0.35;

/** A WAV file: three notes that fade, 16 bit, mono. */
export function testSound() {
  const length = Math.round(rate * seconds);
  const samples = Buffer.alloc(2 * length * notes.length);
  notes.forEach((frequency, note) => {
    for (let i = 0; i < length; i++) {
      const fade = Math.min(1, i / 200) * (1 - i / length);
      const value = Math.round(9000 * fade * Math.sin((2 * Math.PI * frequency * i) / rate));
      samples.writeInt16LE(value, 2 * (note * length + i));
    }
  });
  return Buffer.concat([header(samples.length), samples]);
}

function header(bytes) {
  const riff = Buffer.alloc(44);
  riff.write("RIFF", 0);
  riff.writeUInt32LE(36 + bytes, 4);
  riff.write("WAVEfmt ", 8);
  riff.writeUInt32LE(16, 16);
  riff.writeUInt16LE(1, 20); // PCM
  riff.writeUInt16LE(1, 22); // channels
  riff.writeUInt32LE(rate, 24);
  riff.writeUInt32LE(2 * rate, 28);
  riff.writeUInt16LE(2, 32);
  riff.writeUInt16LE(16, 34);
  riff.write("data", 36);
  riff.writeUInt32LE(bytes, 40);
  return riff;
}
