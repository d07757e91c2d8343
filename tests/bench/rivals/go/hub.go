// A hub of aloha's protocol as one would write it in Go with gorilla/websocket: a goroutine that reads and one
// that writes for each connection. Prints "port=N" once it listens.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

const queueMax = 1024

type message struct {
	Type         string          `json:"type"`
	RoomID       string          `json:"roomId,omitempty"`
	PeerID       string          `json:"peerId,omitempty"`
	Message      json.RawMessage `json:"message,omitempty"`
	Reason       string          `json:"reason,omitempty"`
	Code         string          `json:"code,omitempty"`
	Participants []participant   `json:"participants,omitempty"`
}

type participant struct {
	PeerID string `json:"peerId"`
}

type peer struct {
	id     string
	roomID string
	out    chan []byte
	gone   chan struct{} // closed when nobody reads out any more
}

type hub struct {
	mutex sync.Mutex
	rooms map[string]map[string]*peer
}

func (p *peer) say(m message) {
	if text, err := json.Marshal(m); err == nil {
		select {
		case p.out <- text:
		case <-p.gone:
		}
	}
}

func (p *peer) write(connection *websocket.Conn) {
	defer connection.Close()
	for {
		select {
		case text := <-p.out:
			if connection.WriteMessage(websocket.TextMessage, text) != nil {
				return
			}
		case <-p.gone:
			return
		}
	}
}

func (h *hub) sayToOthers(p *peer, m message) {
	for _, other := range h.rooms[p.roomID] {
		if other != p {
			other.say(m)
		}
	}
}

func (h *hub) leave(p *peer) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if p.roomID == "" {
		return
	}
	delete(h.rooms[p.roomID], p.id)
	h.sayToOthers(p, message{Type: "UserLeft", PeerID: p.id, Reason: "left"})
	if len(h.rooms[p.roomID]) == 0 {
		delete(h.rooms, p.roomID)
	}
	p.roomID = ""
}

func (h *hub) receive(p *peer, m message) {
	switch m.Type {
	case "JoinRoom":
		h.mutex.Lock()
		defer h.mutex.Unlock()
		if p.roomID != "" {
			p.say(message{Type: "Error", Code: "already-in-room"})
			return
		}
		p.roomID = m.RoomID
		if h.rooms[p.roomID] == nil {
			h.rooms[p.roomID] = map[string]*peer{}
		}
		joined := message{Type: "RoomJoined", RoomID: p.roomID, PeerID: p.id}
		for id := range h.rooms[p.roomID] {
			joined.Participants = append(joined.Participants, participant{id})
		}
		h.sayToOthers(p, message{Type: "UserJoined", PeerID: p.id})
		h.rooms[p.roomID][p.id] = p
		p.say(joined)
	case "Signal":
		h.mutex.Lock()
		to := h.rooms[p.roomID][m.PeerID]
		h.mutex.Unlock()
		if to == nil {
			p.say(message{Type: "Error", Code: "unknown-peer", PeerID: m.PeerID})
			return
		}
		to.say(message{Type: "Signal", PeerID: p.id, Message: m.Message})
	case "LeaveRoom":
		h.leave(p)
	default:
		p.say(message{Type: "Error", Code: "unknown-type"})
	}
}

func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{}
	connection, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		log.Fatal(err)
	}
	p := &peer{id: hex.EncodeToString(id), out: make(chan []byte, queueMax), gone: make(chan struct{})}
	go p.write(connection)
	for {
		_, text, err := connection.ReadMessage()
		if err != nil {
			break
		}
		var m message
		if json.Unmarshal(text, &m) != nil {
			p.say(message{Type: "Error", Code: "bad-message"})
			continue
		}
		h.receive(p, m)
	}
	h.leave(p)
	close(p.gone)
}

func main() {
	h := &hub{rooms: map[string]map[string]*peer{}}
	http.HandleFunc("/ws", h.serve)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("port=%d\n", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, nil))
}
