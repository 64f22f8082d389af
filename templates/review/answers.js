// What the server answers. Once the reading is over, nothing that was on its way is answered: its place in the page is gone.

const going = new AbortController();
const csrf = document.querySelector('meta[name="csrf"]').content;
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

// What the server says of a decision, or null where it refuses; why stands on the page.
export async function post(address, values) {
  const read = async (answer) => {
    const told = answer.headers.get("content-type") === "application/json";
    return [answer.ok, told ? await answer.json() : { problem: "The page is no longer served." }];
  };
  const [done, said] = await ask(address, read, { method: "POST", body: new URLSearchParams({ ...values, csrf }) });
  document.getElementById("problem").textContent = said.problem ?? "";
  return done ? said : null;
}
