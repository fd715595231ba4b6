const form = document.querySelector("#form");
const entries = document.querySelector("#entries");
const problem = document.querySelector("#problem");
const pod = document.querySelector("#pod");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void sign();
});

show(await call("GET"));

async function sign() {
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const answer = await call("POST", body);
  if (answer) {
    form.reset();
    show(answer);
  }
}

async function call(method, body) {
  problem.textContent = "";
  try {
    const response = await fetch("api/entries", {
      method,
      body,
      headers: { "content-type": "application/json" },
    });
    const answer = await response.json();
    if (response.ok) return answer;
    problem.textContent = answer.error;
  } catch {
    problem.textContent = "The API does not answer. Is its Deployment ready?";
  }
  return undefined;
}

function show(answer) {
  if (!answer) return;
  pod.textContent = answer.pod;
  entries.replaceChildren(...answer.entries.map(entryElement));
}

function entryElement(entry) {
  const item = document.createElement("li");
  const header = document.createElement("header");
  const name = document.createElement("span");
  const time = document.createElement("time");
  const message = document.createElement("p");
  name.textContent = entry.name;
  time.dateTime = entry.time;
  time.textContent = new Date(entry.time).toLocaleString();
  message.textContent = entry.message;
  header.append(name, time);
  item.append(header, message);
  return item;
}
