// What the server answers. Once the reading is over, nothing that was on its way is answered: its place in the page is gone.

const going = new AbortController();
const NEVER = new Promise(() => {});

export const end = () => going.abort();

// What `read` makes of the answer.
export async function ask(address, read, options = {}) {
  try {
    const made = await read(await fetch(address, { ...options, signal: going.signal }));
    going.signal.throwIfAborted();
    return made;
  } catch (problem) {
    if (going.signal.aborted) await NEVER;
    throw problem;
  }
}

export const json = (address) => ask(address, (answer) => answer.json());
