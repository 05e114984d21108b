import { newHostKey, sealFrames, genesis, openFrame } from '#chain';
import { hostName, incarnation, lane, decode, decodeTrusted } from '#event';
import { frameMac } from '#chain';
import { randomBytes, hash, createHash } from 'node:crypto';
const key=newHostKey(); const host=hostName('web-1'), inc=incarnation('00112233aabbccdd'); const l=lane(1);
const evs=Array.from({length:24},()=>randomBytes(400));
const {frames:[f]}=sealFrames({host,incarnation:inc,lane:l,first:0,previous:genesis({host,incarnation:inc,lane:l}),events:evs,key});
function time(n:string,fn:()=>void,N=3000){for(let i=0;i<500;i++)fn();const t=performance.now();for(let i=0;i<N;i++)fn();console.log(n,((performance.now()-t)/N*1000).toFixed(1),'us')}
time('open',()=>openFrame(f!,()=>key));
time('decode',()=>decode('Frame',f!));
time('trusted',()=>decodeTrusted('Frame',f!));
time('mac',()=>frameMac(f!,key));
time('hash400',()=>hash('sha256',evs[0]!,'buffer'));
time('hash400 hex',()=>hash('sha256',evs[0]!,'hex'));
time('createHash400',()=>createHash('sha256').update(evs[0]!).digest());
const b=Buffer.alloc(120); time('hash120',()=>hash('sha256',b,'buffer'));
