import { newHostKey, sealFrames, genesis, openFrame, Verifier } from '#chain';
import { hostName, incarnation, lane, LANES } from '#event';
import { openSqliteStore, openMemoryStore } from '#state';
import { DEFAULT_LIMIT, type Output } from '#log';
import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
const f='/work/tmp-store/bench.db'; for(const s of ['','-wal','-shm']) rmSync(f+s,{force:true});
const key=newHostKey(); const host=hostName('web-1'), inc=incarnation('00112233aabbccdd');
const heads=new Map<number,{sequence:number,hash:Uint8Array}>();
let r=1; const rnd=(n:number)=>{r=(r*1103515245+12345)&0x7fffffff; return r%n;};
const outs:Output[]=[]; let events=0; let bytes=0; 
let t=performance.now();
for(let i=0;i<20000;i++){ const l=lane(rnd(64)); const h=heads.get(l)??{sequence:0,hash:genesis({host,incarnation:inc,lane:l})};
 const n=1+rnd(50); const evs=Array.from({length:n},()=>randomBytes(330+rnd(140)));
 const s=sealFrames({host,incarnation:inc,lane:l,first:h.sequence,previous:h.hash,events:evs,key}); heads.set(l,s.next); events+=n;
 for(const value of s.frames){outs.push({topic:'bpf.events',lane:l,key:String(l),value}); bytes+=value.length}}
let dt=performance.now()-t; console.log(`seal (incl. randomBytes): ${(events/dt*1000)|0} ev/s, ${(bytes/dt/1048.576)|0} MB/s; mean frame ${(bytes/outs.length)|0}`);
for (const sync of ['NORMAL','FULL'] as const){
 for(const s of ['','-wal','-shm']) rmSync(f+s,{force:true});
 const st=openSqliteStore(f,{synchronous:sync}); const N=sync==='FULL'?64*50:outs.length; const lat:number[]=[];
 t=performance.now(); let ev=0;
 for(let i=0;i<N;i+=64){const a=performance.now(); await st.commit({outputs:outs.slice(i,i+64),state:[{space:'lane',lane:1,key:'head',value:Buffer.alloc(100)}],position:[{source:'ring',next:BigInt(i)}]}); lat.push(performance.now()-a)}
 dt=performance.now()-t; lat.sort((a,b)=>a-b); const b=outs.slice(0,N).reduce((s,o)=>s+o.value.length,0);
 console.log(`${sync}: commits of 64: ${(N/dt*1000)|0} frames/s, ${(b/dt/1048.576)|0} MB/s, ~${((events/outs.length*N)/dt*1000)|0} ev/s p50 ${lat[lat.length>>1]!.toFixed(2)} p99 ${lat[Math.floor(lat.length*.99)]!.toFixed(2)} max ${lat.at(-1)!.toFixed(1)} ms`);
 if(sync==='NORMAL'){
  const src={topic:'bpf.events',partition:0} as const; 
  for(const mode of ['read','open','verify']){ t=performance.now(); let n=0,bb=0; const v=new Verifier({keyOf:()=>key});
  for(let from=0;;){const rs=await st.log.read(src,from,DEFAULT_LIMIT); if(!rs.length)break; for(const x of rs){bb+=x.value.length;n++; if(mode==='open')openFrame(x.value,()=>key); else if(mode==='verify')v.add(x);} from+=rs.length}
  dt=performance.now()-t; console.log(`${mode}: ${(n/dt*1000)|0} frames/s ${(bb/dt/1048.576)|0} MB/s ${(events/dt*1000)|0} ev/s`); if(mode==='verify')console.log(v.report());}
  // fold-like
  const P=100_000; const keys=Array.from({length:P},(_, i)=>`uid:${i}@web-1`);
  t=performance.now(); for(let i=0;i<P;i+=5000) await st.commit({outputs:[],position:[],state:keys.slice(i,i+5000).map((k,j)=>({space:'trust' as const,lane:(i+j)%64,key:k,value:randomBytes(300)}))});
  console.log('load 100k state ms',(performance.now()-t)|0);
  for (const hot of [1000, P]) { let gm=0,cm=0; const B=40; 
  for(let b2=0;b2<B;b2++){ const ks=new Map<number,string[]>(); for(let i=0;i<300;i++){const k=rnd(hot); const L=k%64; (ks.get(L)??ks.set(L,[]).get(L)!).push(keys[k]!);} 
   let a=performance.now(); for(const [L,k] of ks) await st.getMany('trust',L,k); gm+=performance.now()-a;
   const o:Output[]=Array.from({length:1000},(_, i)=>({topic:'bpf.enriched',lane:1,key:keys[i]!,value:randomBytes(500)}));
   const state=[...ks].flatMap(([L,k])=>k.map(kk=>({space:'trust' as const,lane:L,key:kk,value:randomBytes(300)})));
   a=performance.now(); await st.commit({outputs:o,state,position:[{source:'fold',next:BigInt(b2)}]}); cm+=performance.now()-a; }
  console.log(`fold batch (300 keys of ${hot}, 1000 outputs, 300 changes): getMany ${(gm/B).toFixed(2)} ms commit ${(cm/B).toFixed(2)} ms`);}
  t=performance.now(); const sn=await st.snapshot('fold'); console.log('snapshot 100k ms',(performance.now()-t)|0, sn);
  console.log(await st.size(), statSync(f).size);
  await st.commit({outputs:[],state:[],position:[{source:'fold',next:20000n}]}); await st.snapshot('fold');
  t=performance.now(); console.log('trim', await st.trim({keepSnapshots:1,maxBytes:1<<20}), (performance.now()-t)|0,'ms'); console.log(await st.size());
 }
 await st.close(); t=performance.now(); const again=openSqliteStore(f); console.log('reopen ms',(performance.now()-t).toFixed(1)); await again.close();
}
